"""Secrets."""

from ministack.services import secretsmanager

from corrections.register import correction
from patching import Answer, Json, Original, body_of, with_body, wrap


@correction("secretsmanager: CreateSecret's ClientRequestToken is its version")
def keep_version_token() -> None:
    def create(original: Original, data: Json) -> Answer:
        answer = original(data)
        token = data.get("ClientRequestToken")
        if answer[0] != 200 or not token:
            return answer
        body = body_of(answer)
        versions = secretsmanager._secrets[data["Name"]]["Versions"]
        versions[token] = versions.pop(body["VersionId"])
        return with_body(answer, {**body, "VersionId": token})

    wrap(secretsmanager, "_create_secret", create)


@correction("secretsmanager: the name of a secret that waits for its deletion is refused as that")
def refuse_deleted_name() -> None:
    def create(original: Original, data: Json) -> Answer:
        held = secretsmanager._secrets.get(data.get("Name", ""))
        if held and held.get("DeletedDate"):
            said = "You can't create this secret because a secret with this name is already scheduled for "
            said += "deletion."
            return secretsmanager.error_response_json("InvalidRequestException", said, 400)
        return original(data)

    wrap(secretsmanager, "_create_secret", create)
