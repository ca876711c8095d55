"""Runs the reproductions of docs/ministack-upstream.md; prints each section with whether it passed.

Usage: python upstream.py ENDPOINT PAGE, with the key in AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY

`passes: HEADING` or `fails: HEADING: why`; `untried: HEADING` where there is no reproduction to run.
"""

import pathlib
import re
import sys

import botocore.config
import botocore.exceptions
import botocore.session

ENDPOINT, PAGE = sys.argv[1:]
SESSION = botocore.session.Session()


def client(name):
    return SESSION.create_client(
        name,
        region_name="us-east-1",
        endpoint_url=ENDPOINT,
        config=botocore.config.Config(retries={"max_attempts": 1}, s3={"addressing_style": "path"}),
    )


def code(call):
    """The error code that a call is refused with; nothing where it is not."""
    try:
        call()
    except botocore.exceptions.ClientError as error:
        return error.response["Error"]["Code"]
    return None


for section in re.split(r"(?m)^## ", pathlib.Path(PAGE).read_text(encoding="utf-8"))[1:]:
    heading = section.partition("\n")[0]
    blocks = re.findall(r"(?ms)^```python\n(.*?)^```", section)
    if not blocks:
        print(f"untried: {heading}")
    for block in blocks:
        try:
            exec(compile(block, heading, "exec"), {"client": client, "code": code})
            print(f"passes: {heading}")
        except Exception as error:  # What fails is what this program is there to print.
            print(f"fails: {heading}: {type(error).__name__}: {error}")
