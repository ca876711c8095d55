"""Events of objects."""

import json
from typing import Any

from ministack.services import eventbridge, s3

from corrections.register import correction
from patching import Json, Original, wrap


@correction("s3: the event of an object names its version")
def name_version_in_events() -> None:
    versions: dict[str, str] = {}

    def fire(original: Original, *arguments: Any, **named: Any) -> Any:
        if named.get("version_id") and named.get("sequencer"):
            versions[named["sequencer"]] = named["version_id"]
        try:
            return original(*arguments, **named)
        finally:
            versions.pop(named.get("sequencer", ""), None)

    def dispatch(original: Original, event: Json, *arguments: Any, **named: Any) -> Any:
        if event.get("Source") == "aws.s3":
            detail = json.loads(event["Detail"])
            version = versions.get(detail.get("object", {}).get("sequencer"))
            if version:
                detail["object"]["version-id"] = version
                event = {**event, "Detail": json.dumps(detail)}
        return original(event, *arguments, **named)

    wrap(s3, "_fire_s3_event", fire)
    wrap(eventbridge, "_dispatch_event", dispatch)
