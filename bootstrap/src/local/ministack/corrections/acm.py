"""Certificates."""

from ministack.services import acm

from corrections.register import correction
from patching import Answer, Json, Original, body_of, wrap


@correction("acm: a certificate's options come back")
def keep_certificate_options() -> None:
    def around(original: Original, data: Json) -> Answer:
        answer = original(data)
        if answer[0] == 200:
            certificate = acm._get_local_certificate(body_of(answer)["CertificateArn"])
            certificate["Options"] = {"CertificateTransparencyLoggingPreference": "ENABLED", **data.get("Options", {})}
        return answer

    wrap(acm, "_request_certificate", around)
