"""What to tell people about each reason, in both languages: the cause in words, and the next step."""

from __future__ import annotations

from dataclasses import dataclass

from signer.cli.language import Text
from signer.errors import Reason


@dataclass(frozen=True, slots=True)
class Advice:
    """cause: why. step: what to do about it."""

    cause: Text
    step: Text


_R = Reason
_AGAIN = Text("run the same command again later; nothing is signed twice", "chạy lại đúng lệnh này sau ít phút; không ký trùng")
_ASK_OPERATOR = Text("tell the operator of the appliance", "báo người vận hành thiết bị ký")
_EXPORT_AGAIN = Text("export this file again and run the command again", "xuất lại tệp này rồi chạy lại lệnh")


def _advice(en: str, vi: str, step: Text) -> Advice:
    return Advice(Text(en, vi), step)


ADVICE: dict[Reason, Advice] = {
    _R.INTERNAL: _advice("the daemon failed by a bug", "dịch vụ ký gặp lỗi nội bộ", _ASK_OPERATOR),
    _R.NOT_SERVED_YET: _advice(
        "this release of the daemon does not serve that yet",
        "phiên bản dịch vụ ký này chưa hỗ trợ chức năng đó",
        Text("update the daemon, or do without it", "nâng cấp dịch vụ ký, hoặc bỏ chức năng này"),
    ),
    _R.INVALID_ARGUMENT: _advice(
        "a value is missing or wrong", "thiếu hoặc sai giá trị", Text("correct the value that is named", "sửa lại giá trị được nêu tên")
    ),
    _R.CONFIG_INVALID: _advice(
        "the configuration is refused",
        "cấu hình không hợp lệ",
        Text("correct what is named, then run again", "sửa chỗ được nêu rồi chạy lại"),
    ),
    _R.DOCUMENT_EMPTY: _advice("the file is empty", "tệp rỗng (0 byte)", _EXPORT_AGAIN),
    _R.DOCUMENT_NOT_PDF: _advice("the file is not a PDF", "tệp không phải PDF", _EXPORT_AGAIN),
    _R.DOCUMENT_NOT_XML: _advice("the file is not XML", "tệp không phải XML", _EXPORT_AGAIN),
    _R.DOCUMENT_DAMAGED: _advice("the file is damaged or cut off", "tệp bị hỏng hoặc bị cắt cụt", _EXPORT_AGAIN),
    _R.DOCUMENT_ENCRYPTED: _advice(
        "the PDF is encrypted", "tệp PDF được đặt mật khẩu", Text("export it without a password", "xuất lại tệp không có mật khẩu")
    ),
    _R.DOCUMENT_LOCKED: _advice(
        "an earlier signature forbids another one",
        "chữ ký trước đã khóa tài liệu, không cho ký thêm",
        Text("export a fresh copy and sign it in the right order", "xuất bản mới và ký lại theo đúng thứ tự"),
    ),
    _R.DOCUMENT_UNSUPPORTED: _advice(
        "a kind of document that can't be signed safely",
        "loại tài liệu không thể ký an toàn",
        Text("export it as a plain PDF or XML file", "xuất lại thành tệp PDF hoặc XML thông thường"),
    ),
    _R.DOCUMENT_TOO_LARGE: _advice(
        "larger than the appliance allows",
        "tệp lớn hơn giới hạn cho phép",
        Text("make the file smaller, or ask the operator for a higher limit", "giảm dung lượng tệp, hoặc đề nghị nâng giới hạn"),
    ),
    _R.DOCUMENT_TOO_COSTLY: _advice(
        "the document takes too much time or memory",
        "tài liệu tốn quá nhiều thời gian hoặc bộ nhớ để xử lý",
        Text("export it in a simpler form", "xuất lại ở dạng đơn giản hơn"),
    ),
    _R.DOCUMENT_DIGEST_MISMATCH: _advice("the file was damaged on its way", "tệp bị sai lệch khi truyền", _AGAIN),
    _R.DOCUMENT_UNSIGNED: _advice(
        "the PDF is not signed",
        "tệp PDF chưa được ký",
        Text("sign it first, then archive the signed file", "ký tệp trước, sau đó mới lưu trữ tệp đã ký"),
    ),
    _R.FIELD_ALREADY_SIGNED: _advice(
        "the signature field is already signed",
        "ô chữ ký này đã được ký",
        Text(
            "check whether it is signed already; else give another --field",
            "kiểm tra xem tệp đã ký chưa; nếu chưa, chọn ô khác bằng --field",
        ),
    ),
    _R.RECORD_UNFIT: _advice(
        "the record must not be signed in this role now",
        "học bạ chưa đủ điều kiện để ký ở vai trò này",
        Text(
            "see what `signer records check` lists, mend it in the school's software and export again",
            "xem danh sách của `signer records check`, sửa trong phần mềm của trường rồi xuất lại",
        ),
    ),
    _R.LAYOUT_NOT_FOUND: _advice(
        "the appliance knows no such record layout",
        "thiết bị ký không biết cấu trúc học bạ này",
        Text(
            "leave --layout out, or take one that `signer records layouts` lists", "bỏ --layout, hoặc chọn trong `signer records layouts`"
        ),
    ),
    _R.RECORD_NOT_LOCKED: _advice(
        "the record is not in the state that this needs",
        "học bạ chưa ở trạng thái cho phép việc này",
        Text("before the lock, export and sign the record anew", "nếu chưa khoá, xuất lại học bạ và ký lại"),
    ),
    _R.RECORD_REPLACED: _advice(
        "the record was replaced or recalled",
        "học bạ đã bị thay thế hoặc thu hồi",
        Text("name the record that replaces it", "chọn học bạ thay thế nó"),
    ),
    _R.DUPLICATE_DOCUMENT_ID: _advice(
        "the same document came twice",
        "tài liệu bị gửi trùng",
        Text("remove the duplicate; the first one was signed", "bỏ bản trùng; bản đầu đã được xử lý"),
    ),
    _R.ANCHOR_IMPOSTOR: _advice(
        "a CA certificate that is not the one it claims to be",
        "chứng thư CA không đúng là của tổ chức mà nó mang tên",
        Text(
            "get the certificate from the authority itself and compare its fingerprint",
            "lấy chứng thư trực tiếp từ cơ quan cấp và đối chiếu mã SHA-256",
        ),
    ),
    _R.BATCH_TOO_LARGE: _advice(
        "too many documents at once",
        "quá nhiều tài liệu trong một lần",
        Text("send the rest as another request", "gửi phần còn lại trong lần khác"),
    ),
    _R.REQUEST_ID_REUSED: _advice(
        "the same request was made before with other content",
        "mã yêu cầu này đã dùng cho nội dung khác",
        Text("begin a new request with --fresh, or another --request-id", "bắt đầu yêu cầu mới bằng --fresh, hoặc đổi --request-id"),
    ),
    _R.CALLER_UNKNOWN: _advice(
        "the daemon does not know this client certificate",
        "dịch vụ ký không nhận ra chứng thư máy khách này",
        Text(
            "check --cert, or have the operator add it under [[clients]]",
            "kiểm tra --cert, hoặc đề nghị người vận hành thêm vào [[clients]]",
        ),
    ),
    _R.SCHOOL_NOT_FOUND: _advice(
        "no such school for this client",
        "không có trường này, hoặc máy khách không được ký thay trường này",
        Text("check --school, or have the operator add it to this client", "kiểm tra --school, hoặc đề nghị người vận hành cấp quyền"),
    ),
    _R.CREDENTIAL_NOT_FOUND: _advice(
        "no such credential for this school",
        "trường này không có chứng thư ký đó",
        Text("see `signer credentials` for those there are", "xem danh sách bằng `signer credentials`"),
    ),
    _R.KEY_NOT_FOUND: _advice(
        "the appliance keeps no key for this certificate",
        "thiết bị không giữ khóa nào của chứng thư này",
        Text("look for the request it was issued for: `signer keys csr`", "tìm yêu cầu cấp chứng thư tương ứng: `signer keys csr`"),
    ),
    _R.TOKEN_NOT_FOUND: _advice(
        "the daemon has no token of this name",
        "dịch vụ ký không có thiết bị tên này",
        Text("see `signer tokens` for those there are", "xem danh sách bằng `signer tokens`"),
    ),
    _R.ID_TAKEN: _advice(
        "this id is taken for good by something else",
        "mã này đã được dùng cho đối tượng khác",
        Text("choose another id", "chọn mã khác"),
    ),
    _R.CHANGED_MEANWHILE: _advice(
        "somebody else changed it at the same time",
        "đối tượng vừa được người khác thay đổi",
        Text("look at it as it is now, and repeat if that is still right", "xem lại hiện trạng rồi thực hiện lại nếu vẫn đúng"),
    ),
    _R.STATE_REFUSED: _advice(
        "the credential's state does not allow that",
        "trạng thái của chứng thư ký không cho phép việc này",
        Text("see `signer credentials` for its state", "xem trạng thái bằng `signer credentials`"),
    ),
    _R.EVIDENCE_RECORD_NOT_FOUND: _advice(
        "no such evidence record for this school",
        "trường này không có bằng chứng đó",
        Text("check the record's id and --school", "kiểm tra mã bằng chứng và --school"),
    ),
    _R.DOCUMENT_NOT_FOUND: _advice(
        "there is no such document",
        "không có tài liệu đó",
        Text("check that it was signed under this request", "kiểm tra xem tài liệu đã được ký trong yêu cầu này chưa"),
    ),
    _R.ROLE_REFUSED: _advice(
        "this client is not allowed to do that",
        "máy khách này không được phép làm việc đó",
        Text(
            "use an operator's client certificate, or ask the operator",
            "dùng chứng thư máy khách của người vận hành, hoặc nhờ người vận hành",
        ),
    ),
    _R.CLIENT_NOT_FOUND: _advice(
        "there is no such client",
        "không có máy khách này",
        Text(
            "look the id up: signer clients list; one of the daemon's configuration changes there",
            "tra lại mã: signer clients list; máy khách khai báo trong tệp cấu hình thì sửa tại đó",
        ),
    ),
    _R.QUOTA_EXCEEDED: _advice(
        "the client or the school has used up its quota",
        "đã dùng hết hạn mức của đơn vị",
        Text(
            "wait as long as the message says, or ask the operator for more",
            "chờ theo thời gian được nêu, hoặc xin người vận hành nâng hạn mức",
        ),
    ),
    _R.PERSON_NOT_FOUND: _advice(
        "there is no such person",
        "không có người này",
        Text("look the id up: signer people list", "tra lại mã người dùng: signer people list"),
    ),
    _R.ASSIGNMENT_NOT_FOUND: _advice(
        "there is no such role",
        "không có phân công này",
        Text("look it up: signer people show PERSON", "tra lại: signer people show MÃ_NGƯỜI"),
    ),
    _R.DELEGATION_NOT_FOUND: _advice(
        "there is no such delegation",
        "không có ủy quyền này",
        Text("look it up: signer people show PERSON", "tra lại: signer people show MÃ_NGƯỜI"),
    ),
    _R.SUBJECT_NOT_FOUND: _advice(
        "what is to be approved is not there",
        "không có đối tượng cần phê duyệt",
        Text("check the id that is named", "kiểm tra lại mã được nêu"),
    ),
    _R.RECORD_NOT_FOUND: _advice(
        "this school has no such record here",
        "trường này không có học bạ đó trên hệ thống",
        Text("check the record's UUID", "kiểm tra lại mã tra cứu (UUID) của học bạ"),
    ),
    _R.CALENDAR_NOT_FOUND: _advice(
        "no dates are set for this school year",
        "chưa đặt mốc thời gian cho năm học này",
        Text("set them: signer records calendar", "đặt mốc thời gian: signer records calendar"),
    ),
    _R.METHOD_NOT_ALLOWED: _advice(
        "this client may not use that method",
        "phần mềm này không được phép gọi chức năng đó",
        Text(
            "send documents instead of digests, or ask the operator for the right",
            "gửi tài liệu thay vì mã băm, hoặc xin người vận hành cấp quyền",
        ),
    ),
    _R.FACTORS_REFUSED: _advice(
        "PIN or one-time code were not accepted",
        "mã PIN hoặc mã xác thực không được chấp nhận",
        Text(
            "wait for a new one-time code and try once more; several wrong tries lock",
            "chờ mã xác thực mới rồi thử lại; nhập sai nhiều lần sẽ bị khóa",
        ),
    ),
    _R.AUTHORIZATION_NOT_FOUND: _advice(
        "there is no such authorisation", "không có lượt cho phép ký này", Text("ask the holder anew", "gửi lại yêu cầu cho người ký")
    ),
    _R.AUTHORIZATION_REQUIRED: _advice(
        "the key's holder has not allowed this",
        "người giữ khóa chưa cho phép ký",
        Text("have the holder authorise the list, then send it with what they gave", "đề nghị người ký phê duyệt danh sách rồi gửi lại"),
    ),
    _R.AUTHORIZATION_INVALID: _advice(
        "the authorisation is for something else",
        "lượt cho phép ký không khớp với yêu cầu này",
        Text("authorise exactly what is sent, once more", "phê duyệt lại đúng danh sách cần ký"),
    ),
    _R.AUTHORIZATION_EXPIRED: _advice(
        "the authorisation has expired",
        "lượt cho phép ký đã hết hạn",
        Text("have the holder authorise it anew", "đề nghị người ký phê duyệt lại"),
    ),
    _R.AUTHORIZATION_SPENT: _advice(
        "the authorisation was used by another request",
        "lượt cho phép ký đã được dùng cho yêu cầu khác",
        Text("repeat the first request with its own ids, or authorise anew", "gửi lại yêu cầu cũ với đúng mã, hoặc phê duyệt lại"),
    ),
    _R.AUTHORIZATION_EXHAUSTED: _advice(
        "all that was authorised is signed",
        "đã ký hết số lượng được cho phép",
        Text("have the holder authorise the rest", "đề nghị người ký phê duyệt phần còn lại"),
    ),
    _R.DOCUMENT_NOT_AUTHORIZED: _advice(
        "the document is not among those the holder allowed",
        "tài liệu không có trong danh sách người ký đã cho phép",
        Text("authorise exactly the files that are sent", "phê duyệt lại đúng các tệp cần ký"),
    ),
    _R.APPROVAL_NOT_FOUND: _advice(
        "there is no such approval", "không có phê duyệt này", Text("look it up: signer approvals list", "tra lại: signer approvals list")
    ),
    _R.APPROVAL_REQUIRED: _advice(
        "several people must allow this first",
        "việc này cần nhiều người phê duyệt trước",
        Text("ask for the approval: signer approvals ask", "xin phê duyệt: signer approvals ask"),
    ),
    _R.APPROVAL_ENDED: _advice("the approval has ended", "phê duyệt đã kết thúc", Text("ask for a new one", "xin phê duyệt mới")),
    _R.ENTRY_NOT_FOUND: _advice(
        "the journal has no such entry",
        "nhật ký không có mục này",
        Text("see how many there are: signer audit checkpoint", "xem số mục hiện có: signer audit checkpoint"),
    ),
    _R.ENTRY_ARCHIVED: _advice(
        "the entry was archived, and its file is not there",
        "mục này đã chuyển vào kho lưu trữ, và không thấy tệp của nó",
        Text(
            "put the file back into the folder of [journal.archive]: signer audit segments",
            "đặt tệp trở lại thư mục của [journal.archive]: signer audit segments",
        ),
    ),
    _R.CHECKPOINT_NOT_FOUND: _advice(
        "there is no such checkpoint",
        "chưa có điểm chốt nhật ký này",
        Text("make one: signer audit checkpoint --make", "tạo mới: signer audit checkpoint --make"),
    ),
    _R.CERTIFICATE_EXPIRED: _advice(
        "the signer's certificate has expired",
        "chứng thư số của người ký đã hết hạn",
        Text("renew the certificate and register the new one", "gia hạn chứng thư số và đăng ký chứng thư mới"),
    ),
    _R.CERTIFICATE_NOT_YET_VALID: _advice(
        "the signer's certificate is not valid yet",
        "chứng thư số của người ký chưa đến ngày hiệu lực",
        Text("wait until it is, or check the daemon's clock", "chờ đến ngày hiệu lực, hoặc kiểm tra đồng hồ máy chủ"),
    ),
    _R.CERTIFICATE_UNUSABLE: _advice(
        "the key has no certificate that may sign documents",
        "khóa chưa có chứng thư số dùng được để ký tài liệu",
        Text(
            "import the issued certificate; `signer credentials` says what is wrong",
            "nạp chứng thư đã được cấp; `signer credentials` cho biết lỗi cụ thể",
        ),
    ),
    _R.CERTIFICATE_REVOKED: _advice(
        "a certificate is revoked",
        "chứng thư số đã bị thu hồi",
        Text(
            "take a valid certificate; signatures of the revoked one can't be archived any more",
            "dùng chứng thư còn hiệu lực; chữ ký của chứng thư đã thu hồi không lưu trữ được nữa",
        ),
    ),
    _R.CERTIFICATE_STATUS_UNAVAILABLE: _advice(
        "the CA did not tell whether a certificate is revoked",
        "chưa hỏi được cơ quan cấp chứng thư về tình trạng thu hồi",
        _AGAIN,
    ),
    _R.ALGORITHM_UNSUPPORTED: _advice(
        "the key can't sign with that algorithm",
        "khóa không hỗ trợ thuật toán này",
        Text("leave --algorithm out, or see `signer credentials`", "bỏ --algorithm, hoặc xem `signer credentials`"),
    ),
    _R.TOKEN_UNAVAILABLE: _advice("the token is not ready", "thiết bị lưu khóa chưa sẵn sàng", _AGAIN),
    _R.TOKEN_REMOVED: _advice(
        "the token is gone",
        "thiết bị lưu khóa (USB token, HSM) bị rút ra hoặc lỗi",
        Text("plug the token in again, then run the same command again", "cắm lại thiết bị rồi chạy lại đúng lệnh này"),
    ),
    _R.TOKEN_TIMED_OUT: _advice("the token did not answer in time", "thiết bị lưu khóa không trả lời kịp", _AGAIN),
    _R.TOKEN_REFUSED: _advice("the token refused to sign", "thiết bị lưu khóa từ chối ký", _ASK_OPERATOR),
    _R.TOKEN_SIGNATURE_WRONG: _advice(
        "the token made a wrong signature; it was withheld", "thiết bị lưu khóa tạo chữ ký sai; chữ ký đã bị giữ lại", _ASK_OPERATOR
    ),
    _R.SIGNATURE_OUTCOME_UNKNOWN: _advice(
        "the token failed while signing; nothing was released",
        "thiết bị lưu khóa lỗi khi đang ký; chưa có chữ ký nào được phát hành",
        _AGAIN,
    ),
    _R.PIN_HELD: _advice(
        "the token's PIN was refused and is held back to protect it",
        "mã PIN bị từ chối; hệ thống tạm dừng thử để tránh khóa thiết bị",
        Text("the operator corrects the PIN's source and releases it", "người vận hành sửa nguồn mã PIN rồi cho phép thử lại"),
    ),
    _R.PIN_LOCKED: _advice(
        "the token has locked its PIN",
        "thiết bị lưu khóa đã khóa mã PIN",
        Text("its security officer (or the CA) unlocks it", "liên hệ đơn vị cấp chứng thư số để mở khóa"),
    ),
    _R.PIN_SOURCE_UNREADABLE: _advice(
        "the daemon can't read the token's PIN", "dịch vụ ký không đọc được mã PIN của thiết bị", _ASK_OPERATOR
    ),
    _R.TIMESTAMP_UNAVAILABLE: _advice(
        "no timestamp could be had; the signature is kept", "không lấy được dấu thời gian; chữ ký được giữ lại", _AGAIN
    ),
    _R.TIMESTAMP_INVALID: _advice(
        "the timestamp authority's answer was not valid; the signature is kept",
        "dấu thời gian nhận được không hợp lệ; chữ ký được giữ lại",
        _AGAIN,
    ),
    _R.TIMESTAMP_PENDING: _advice(
        "signed; the appliance goes on asking for its timestamp",
        "đã ký; hệ thống đang tiếp tục lấy dấu thời gian",
        Text("run the same command again later to fetch it", "chạy lại đúng lệnh này sau để nhận kết quả"),
    ),
    _R.CLOCK_UNTRUSTED: _advice(
        "the appliance's clock can't be vouched for, so it stamps nothing; the signature is kept",
        "không xác nhận được đồng hồ hệ thống nên chưa cấp dấu thời gian; chữ ký được giữ lại",
        Text(
            "the operator looks at the clock and its time sources; then run the same command again",
            "người vận hành kiểm tra đồng hồ và nguồn giờ, sau đó chạy lại đúng lệnh này",
        ),
    ),
    _R.QUEUE_FULL: _advice("the token's queue is full", "hàng đợi ký đã đầy", _AGAIN),
    _R.QUEUE_NOT_CONFIGURED: _advice(
        "the appliance takes no batches to be signed later",
        "thiết bị ký không nhận lô ký sau",
        Text("sign without --queue, or have the operator add [queue]", "ký không có --queue, hoặc nhờ người vận hành thêm [queue]"),
    ),
    _R.BATCH_NOT_FOUND: _advice(
        "the school has no such queued batch",
        "trường không có lô ký chờ này",
        Text("see which there are: signer batches list", "xem các lô hiện có: signer batches list"),
    ),
    _R.BATCH_ENDED: _advice(
        "the queued batch has ended",
        "lô ký chờ đã kết thúc",
        Text("fetch what is signed: signer batches fetch", "lấy các tệp đã ký: signer batches fetch"),
    ),
    _R.RESULT_EXPIRED: _advice(
        "the signed file was fetched and acknowledged, or kept too long",
        "tệp đã ký đã được lấy về hoặc quá hạn lưu",
        Text(
            "sign the same files again under the same request: no key is used twice",
            "ký lại đúng các tệp với cùng mã yêu cầu: không ký trùng",
        ),
    ),
    _R.TOO_MANY_REQUESTS: _advice("the daemon is busy with other requests", "dịch vụ ký đang bận", _AGAIN),
    _R.DEADLINE_EXCEEDED: _advice(
        "time ran out", "hết thời gian chờ", Text("run the same command again to continue", "chạy lại đúng lệnh này để ký tiếp")
    ),
    _R.DEADLINE_TOO_LONG: _advice(
        "the deadline is longer than the daemon allows",
        "thời hạn yêu cầu dài hơn mức cho phép",
        Text("give a shorter --timeout", "giảm --timeout"),
    ),
    _R.CANCELLED: _advice(
        "it was cancelled", "yêu cầu đã bị hủy", Text("run the same command again to continue", "chạy lại đúng lệnh này để ký tiếp")
    ),
    _R.SHUTTING_DOWN: _advice("the daemon is stopping", "dịch vụ ký đang dừng", _AGAIN),
    _R.JOURNAL_UNAVAILABLE: _advice(
        "the daemon can't write its journal, so it signs nothing", "dịch vụ ký không ghi được nhật ký nên không ký", _ASK_OPERATOR
    ),
    _R.JOURNAL_DAMAGED: _advice("the daemon's journal is damaged", "nhật ký của dịch vụ ký bị hỏng", _ASK_OPERATOR),
    _R.SIGNATURE_IN_PROGRESS: _advice("it is being signed at this moment", "tài liệu đang được ký", _AGAIN),
    _R.SIGNATURE_SETTLED: _advice("it has its outcome already", "tài liệu đã có kết quả", _AGAIN),
    _R.WORKER_UNAVAILABLE: _advice(
        "the daemon can't process documents at this moment", "dịch vụ ký tạm thời không xử lý được tài liệu", _AGAIN
    ),
    _R.VERIFICATION_FAILED: _advice(
        "what came back does not verify; it was not written",
        "kết quả nhận về không khớp; không được ghi ra tệp",
        Text("run again; if it repeats, tell the operator", "chạy lại; nếu vẫn lỗi, báo người vận hành"),
    ),
    _R.SERVICE_UNREACHABLE: _advice(
        "the daemon can't be reached",
        "không kết nối được dịch vụ ký",
        Text(
            "check --server, the network and the TLS files (--ca, --cert, --key), then run the same command again",
            "kiểm tra --server, mạng và các tệp TLS (--ca, --cert, --key), rồi chạy lại đúng lệnh này",
        ),
    ),
    _R.UNRECOGNIZED: _advice(
        "the daemon gave an answer that this program does not know",
        "dịch vụ ký trả lời điều mà chương trình này chưa biết",
        Text("update this program, or tell the operator", "cập nhật chương trình này, hoặc báo người vận hành"),
    ),
}


def advice_for(reason: Reason) -> Advice:
    """The advice; for a reason without its own, that of an unknown answer."""
    return ADVICE.get(reason, ADVICE[_R.UNRECOGNIZED])
