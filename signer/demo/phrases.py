"""Vietnamese words the generator draws from: names, places and the comments teachers write on a primary report card.

Subjects, qualities and competences are those of Circular 27/2020/TT-BGDĐT for grade 1; the comments are written in its manner (what
the pupil does well, then what to work on). Data only.
"""

from __future__ import annotations

from dataclasses import dataclass

FAMILY_NAMES = (
    *("Nguyễn", "Trần", "Lê", "Phạm", "Hoàng", "Huỳnh", "Phan", "Vũ", "Võ", "Đặng", "Bùi", "Đỗ", "Hồ", "Ngô", "Dương", "Lý"),
    *("Đoàn", "Trịnh", "Mạc", "Lỗ", "Giàng", "Quách", "Tạ", "Thạch", "Vừ", "Lục", "Nghiêm", "Phùng", "Cù", "Khổng", "Lường"),
)
MIDDLE_NAMES_BOY = (
    "Văn",
    "Đức",
    "Hữu",
    "Minh",
    "Quốc",
    "Gia",
    "Thế",
    "Bảo",
    "Tiến",
    "Duy",
    "Ngọc",
    "Hoàng Gia",
    "Nhật",
    "Vĩnh",
    "Sỹ",
    "Đắc",
)
MIDDLE_NAMES_GIRL = (
    "Thị",
    "Ngọc",
    "Thùy",
    "Bảo",
    "Khánh",
    "Phương",
    "Thị Mỹ",
    "Quỳnh",
    "Diệu",
    "Hồng",
    "Thị Tố",
    "Như",
    "Huyền",
    "Ánh",
    "Tuệ",
    "Cẩm",
)
GIVEN_NAMES_BOY = (
    *("Khôi", "Phúc", "Nguyên", "Kiệt", "Vỹ", "Đạt", "Trường", "Hiếu", "Tấn", "Sẵn", "Lễ", "Mẫn", "Khải", "Thịnh", "Bền", "Cường"),
    *("Dũng", "Giỏi", "Hưởng", "Huy", "Luật", "Nghĩa", "Quyền", "Sửu", "Thạo", "Tú", "Vượng", "Đỉnh", "Bách", "Lẫm"),
)
GIVEN_NAMES_GIRL = (
    *("Quỳnh", "Thuỷ", "Nguyệt", "Hằng", "Mỵ", "Uyên", "Thảo", "Trâm", "Yến", "Nhẫn", "Lụa", "Hạnh", "Ngân", "Bưởi", "Dịu", "Đào"),
    *("Gấm", "Huệ", "Kiều", "Lựu", "Mỹ", "Nữ", "Ổi", "Phượng", "Sương", "Tường Vy", "Vẻ", "Xuyến", "Ỷ Lan", "Ưng"),
)
HAMLETS = ("Thôn Bãi Sậy", "Thôn Gò Mả", "Xóm Giếng Đá", "Bản Nậm Lạnh", "Tổ dân phố Cầu Gỗ", "Ấp Rạch Ráng", "Khu Đồi Chè", "Xóm Chợ Cũ")
ETHNIC_GROUPS = ("Kinh", "Kinh", "Kinh", "Kinh", "Tày", "Nùng", "Mường", "Thái", "Hmông", "Khmer")
JOBS = ("Làm ruộng", "Công nhân", "Giáo viên", "Thợ xây", "Buôn bán nhỏ", "Y sĩ", "Lái xe", "Kỹ sư", "Thợ may", "Cán bộ xã")


@dataclass(frozen=True, slots=True)
class SubjectPhrases:
    """A subject of grade 1 and what is said of it. scored: has a periodic test mark (Circular 27 art. 7)."""

    code: str
    name: str
    scored: bool
    excellent: tuple[str, ...]
    good: tuple[str, ...]
    advice: tuple[str, ...]


SUBJECTS = (
    SubjectPhrases(
        "TIENG_VIET",
        "Tiếng Việt",
        scored=True,
        excellent=(
            "Đọc to, rõ ràng, ngắt nghỉ hơi đúng chỗ; chữ viết sạch đẹp, đều nét",
            "Đọc trôi chảy, hiểu nội dung đoạn văn và kể lại được bằng lời của mình",
            "Phát âm chuẩn, vốn từ phong phú, trả lời đủ ý câu hỏi về bài đọc",
        ),
        good=(
            "Đọc đúng các vần đã học, tốc độ đọc vừa phải",
            "Viết đúng cỡ chữ, biết trình bày đoạn chính tả ngắn",
            "Nghe và viết được những câu đơn giản, còn nhầm dấu hỏi với dấu ngã",
        ),
        advice=("Cần luyện viết thêm ở nhà", "Nên đọc truyện tranh mỗi tối để mở rộng vốn từ", "Chú ý phân biệt s với x, ch với tr"),
    ),
    SubjectPhrases(
        "TOAN",
        "Toán",
        scored=True,
        excellent=(
            "Tính nhẩm nhanh, thực hiện thành thạo phép cộng, phép trừ trong phạm vi 100",
            "Nắm vững cấu tạo số có hai chữ số, giải đúng bài toán có lời văn",
            "Nhận dạng tốt các hình khối, biết đo độ dài bằng xăng-ti-mét",
        ),
        good=(
            "Thực hiện được phép cộng, trừ không nhớ; đặt tính thẳng cột",
            "Biết so sánh các số, còn chậm khi giải bài toán có lời văn",
            "Đọc được giờ đúng trên đồng hồ, biết thứ tự các ngày trong tuần",
        ),
        advice=("Cần rèn kỹ năng tính nhẩm", "Nên đọc kỹ đề trước khi làm bài", "Tiếp tục phát huy tư duy nhanh nhạy"),
    ),
    SubjectPhrases(
        "DAO_DUC",
        "Đạo đức",
        scored=False,
        excellent=("Lễ phép với thầy cô, biết quan tâm, giúp đỡ bạn bè", "Tự giác nhận lỗi và sửa lỗi, luôn giữ lời hứa"),
        good=("Ngoan, thực hiện đúng nội quy của lớp", "Biết chào hỏi người lớn, biết giữ gìn đồ dùng"),
        advice=("Mạnh dạn chia sẻ ý kiến hơn nữa", "Cần giữ trật tự trong giờ học"),
    ),
    SubjectPhrases(
        "TU_NHIEN_XA_HOI",
        "Tự nhiên và Xã hội",
        scored=False,
        excellent=(
            "Ham tìm hiểu về cây cối, con vật quanh em; biết bảo vệ môi trường",
            "Nêu được các thành viên trong gia đình và công việc của mỗi người",
        ),
        good=("Nhận biết các bộ phận cơ thể, biết giữ vệ sinh cá nhân", "Kể được tên một số đồ dùng và nơi nguy hiểm trong nhà"),
        advice=("Nên quan sát kỹ hơn khi làm việc nhóm", "Cần mạnh dạn trình bày trước lớp"),
    ),
    SubjectPhrases(
        "GIAO_DUC_THE_CHAT",
        "Giáo dục thể chất",
        scored=False,
        excellent=(
            "Thực hiện đúng, đẹp các động tác; tích cực tham gia trò chơi vận động",
            "Khéo léo, giữ thăng bằng tốt, phối hợp ăn ý với bạn",
        ),
        good=("Thuộc bài thể dục, tập hợp hàng nhanh", "Biết khởi động trước khi tập luyện"),
        advice=("Cần tập đều đặn để tăng sức bền", "Chú ý nghe khẩu lệnh của giáo viên"),
    ),
    SubjectPhrases(
        "AM_NHAC",
        "Nghệ thuật (Âm nhạc)",
        scored=False,
        excellent=("Hát đúng giai điệu, biết vỗ tay theo nhịp và biểu diễn tự nhiên", "Cảm thụ âm nhạc tốt, thuộc nhiều bài hát thiếu nhi"),
        good=("Hát thuộc lời ca, biết gõ đệm theo phách", "Tham gia hát tập thể đều đặn"),
        advice=("Mạnh dạn hát trước lớp", "Luyện thêm cách lấy hơi"),
    ),
    SubjectPhrases(
        "MI_THUAT",
        "Nghệ thuật (Mĩ thuật)",
        scored=False,
        excellent=("Biết phối hợp màu sắc hài hoà, sản phẩm sáng tạo, có ý tưởng riêng", "Sử dụng thành thạo chấm, nét, mảng khi vẽ"),
        good=("Hoàn thành sản phẩm đúng giờ, biết giới thiệu bức vẽ của mình", "Nặn và xé dán được các hình đơn giản"),
        advice=("Cần giữ gìn đồ dùng học tập sạch sẽ", "Nên thử dùng thêm nhiều gam màu"),
    ),
    SubjectPhrases(
        "HOAT_DONG_TRAI_NGHIEM",
        "Hoạt động trải nghiệm",
        scored=False,
        excellent=(
            "Tự tin, hoà đồng, hăng hái tham gia các hoạt động tập thể",
            "Biết tự phục vụ bản thân và chăm sóc góc cây xanh của lớp",
        ),
        good=("Tham gia đủ các hoạt động, biết hợp tác với bạn", "Biết sắp xếp sách vở gọn gàng"),
        advice=("Cần chủ động nhận nhiệm vụ", "Phát huy vai trò trong nhóm"),
    ),
)

QUALITIES = (
    ("YEU_NUOC", "Yêu nước"),
    ("NHAN_AI", "Nhân ái"),
    ("CHAM_CHI", "Chăm chỉ"),
    ("TRUNG_THUC", "Trung thực"),
    ("TRACH_NHIEM", "Trách nhiệm"),
)
GENERAL_COMPETENCES = (
    ("TU_CHU_TU_HOC", "Tự chủ và tự học"),
    ("GIAO_TIEP_HOP_TAC", "Giao tiếp và hợp tác"),
    ("GIAI_QUYET_VAN_DE", "Giải quyết vấn đề và sáng tạo"),
)
SPECIFIC_COMPETENCES = (
    ("NGON_NGU", "Ngôn ngữ"),
    ("TINH_TOAN", "Tính toán"),
    ("KHOA_HOC", "Khoa học"),
    ("THAM_MI", "Thẩm mĩ"),
    ("THE_CHAT", "Thể chất"),
)
QUALITY_COMMENTS = (
    "Em kính trọng thầy cô, yêu quý bạn bè, thật thà trong học tập và sinh hoạt.",
    "Em chăm ngoan, có ý thức giữ gìn của công, biết nhường nhịn em nhỏ.",
    "Em đi học đều, đúng giờ, sẵn sàng giúp đỡ bạn gặp khó khăn, dũng cảm nhận lỗi.",
    "Em biết yêu thương gia đình, tích cực tham gia phong trào “Kế hoạch nhỏ” của trường.",
)
COMPETENCE_COMMENTS = (
    "Em tự giác học tập, nói năng lưu loát, biết tìm cách giải quyết những tình huống đơn giản.",
    "Em mạnh dạn khi giao tiếp, hợp tác tốt trong nhóm, tính toán cẩn thận; cần rèn chữ viết đẹp hơn.",
    "Em có năng khiếu vẽ, cảm nhận được cái đẹp, vận động nhanh nhẹn và khoẻ mạnh.",
    "Em biết đặt câu hỏi khi chưa hiểu, ham khám phá thế giới xung quanh, cần kiên trì hơn trong việc tự học.",
)
