from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime

from cryptography import x509

from signer.algorithms import DigestAlgorithm, Padding, SignatureAlgorithm
from signer.errors import AlgorithmUnsupported
from signer.formats import der
from signer.formats.cms.identifiers import ID_CT_TST_INFO
from signer.formats.cms.template import CmsTemplate
from signer.timestamp.tsp import message_imprint
from signer.timestamp.tst_info import accuracy_der
from signer.timestamp.usage import check_timestamping_usage

_TST_INFO_VERSION = der.integer(1)


@dataclass(frozen=True, slots=True)
class TimestampTemplate:
    """Timestamps of one authority credential, all of each encoded but what a single one adds (RFC 3161 §2.4.2, EN 319 422 §5).

        tst_info = template.tst_info(imprint, digest_algorithm, serial, gen_time, nonce)
        attributes = template.signed_attributes(tst_info)
        timestamp = template.assemble(tst_info, attributes, sign(hash(attributes)))

    algorithm: of the signature. policy_oid: what each timestamp names. accuracy_ms: what each states. not_before, not_after: when the
    certificate is valid; a timestamp with another time would be refused by everybody. ordering: whether times order timestamps whatever
    the accuracy; they are then given to the microsecond.
    """

    algorithm: SignatureAlgorithm
    policy_oid: str
    accuracy_ms: int
    ordering: bool
    not_before: datetime
    not_after: datetime
    _with_certificates: CmsTemplate
    _without_certificates: CmsTemplate
    _before_imprint: bytes
    _accuracy_and_ordering: bytes

    @classmethod
    def build(
        cls,
        certificate: bytes,
        chain: tuple[bytes, ...],
        algorithm: SignatureAlgorithm,
        *,
        policy_oid: str,
        accuracy_ms: int,
        ordering: bool = False,
        signing_time: bool = False,
    ) -> TimestampTemplate:
        """Encode everything that is the same for each timestamp of this credential.

        certificate, chain: DER. ordering: whether timestamps can be ordered by their times whatever the accuracy. signing_time: whether
        the signed attributes repeat gen time. Raises CertificateUnusable unless timeStamping is the certificate's one extended key usage,
        and critical (RFC 3161 §2.3); AlgorithmUnsupported for RSA-PSS, which common verifiers, OpenSSL's first, can't read in timestamps.
        """
        if algorithm.padding is Padding.PSS:
            raise AlgorithmUnsupported(f"{algorithm.value}: common verifiers can't read RSA-PSS in timestamps; use PKCS#1 v1.5 or ECDSA")
        cms = CmsTemplate.build(certificate, chain, algorithm, content_type=ID_CT_TST_INFO, signing_time=signing_time)
        parsed = x509.load_der_x509_certificate(certificate)
        check_timestamping_usage(parsed)
        return cls(
            algorithm=algorithm,
            policy_oid=policy_oid,
            accuracy_ms=accuracy_ms,
            ordering=ordering,
            not_before=parsed.not_valid_before_utc,
            not_after=parsed.not_valid_after_utc,
            _with_certificates=cms,
            _without_certificates=cms.without_certificates(),
            _before_imprint=_TST_INFO_VERSION + der.oid(policy_oid),
            _accuracy_and_ordering=accuracy_der(accuracy_ms) + (der.TRUE if ordering else b""),
        )

    def gen_time(self, now: datetime) -> datetime:
        """The time that a timestamp made now states: what is finer than a millisecond is cut off, unless times order timestamps."""
        return now if self.ordering else now.replace(microsecond=now.microsecond // 1000 * 1000)

    def tst_info(self, imprint: bytes, digest_algorithm: DigestAlgorithm, serial: int, gen_time: datetime, nonce: int | None) -> bytes:
        """TSTInfo, DER. gen_time: aware, as `gen_time` gave it."""
        fields = (
            self._before_imprint,
            message_imprint(imprint, digest_algorithm),
            der.integer(serial),
            der.generalized_time(gen_time),
            self._accuracy_and_ordering,
            b"" if nonce is None else der.integer(nonce),
        )
        return der.sequence(*fields)

    def signed_attributes(self, tst_info: bytes, signing_time: datetime | None = None) -> bytes:
        """The signed attributes of a timestamp as they are hashed and signed. signing_time: when the template was built with one."""
        digest = hashlib.new(self.algorithm.digest.value, tst_info).digest()
        return self._with_certificates.signed_attributes(digest, signing_time)

    def assemble(self, tst_info: bytes, signed_attributes: bytes, signature: bytes, *, with_certificates: bool = True) -> bytes:
        """TimeStampToken, DER. with_certificates: the request's certReq."""
        cms = self._with_certificates if with_certificates else self._without_certificates
        return cms.assemble(signed_attributes, signature, content=tst_info)

    def size_max(self) -> int:
        """An upper bound of what `assemble` returns for nonces and serial numbers of up to 160 bits, in bytes."""
        largest = 1 << 159
        moment = self.not_after.replace(microsecond=999_999)
        tst_info = self.tst_info(bytes(DigestAlgorithm.SHA512.size_bytes), DigestAlgorithm.SHA512, largest, moment, largest)
        return self._with_certificates.size_max(0, len(tst_info))
