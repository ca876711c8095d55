"""Parameters and answers between the wire's text and plain values, along the shapes of the model.

Scalars of XML and of forms stay text, so that what is not touched is written back as it came.
"""

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element
from xml.sax.saxutils import escape


def from_form(shape: Any, flat: dict[str, str], is_ec2: bool) -> Any:
    """The parameters of a form, such as `Tags.member.1.Key`."""
    tree: dict[str, Any] = {}
    for key, value in flat.items():
        place = tree
        *path, last = key.split(".")
        for step in path:
            place = place.setdefault(step, {})
            if not isinstance(place, dict):
                break
        else:
            place[last] = value
    return _from_tree(shape, tree, is_ec2)


def _form_name(name: str, member: Any, is_ec2: bool) -> str:
    told = member.serialization
    if not is_ec2:
        return told.get("name", name)
    name = told.get("name", name)
    return told.get("queryName", name[:1].upper() + name[1:])


def _from_tree(shape: Any, tree: Any, is_ec2: bool) -> Any:
    if shape.type_name == "structure":
        if not isinstance(tree, dict):
            return {}
        value = {}
        for name, member in shape.members.items():
            key = _form_name(name, member, is_ec2)
            if member.type_name == "list" and not is_ec2 and member.serialization.get("flattened"):
                key = member.member.serialization.get("name", key)
            if key in tree:
                value[name] = _from_tree(member, tree[key], is_ec2)
        return value
    if shape.type_name == "list":
        if not isinstance(tree, dict):
            return []
        if not is_ec2 and not shape.serialization.get("flattened"):
            tree = tree.get(shape.member.serialization.get("name", "member"), {})
        numbered = sorted((int(key), item) for key, item in tree.items() if key.isdigit())
        return [_from_tree(shape.member, item, is_ec2) for _, item in numbered]
    if shape.type_name == "map":
        entries = tree if shape.serialization.get("flattened") else tree.get("entry", {})
        pairs = (entry for key, entry in sorted(entries.items()) if key.isdigit())
        return {entry.get("key", entry.get("Name")): entry.get("value", entry.get("Value")) for entry in pairs}
    return tree if isinstance(tree, str) else ""


def bare(tag: str) -> str:
    return tag.rpartition("}")[2]


def from_element(shape: Any, element: Element) -> Any:
    """The value of an XML element."""
    if shape.type_name == "structure":
        children: dict[str, list[Element]] = {}
        for child in element:
            children.setdefault(bare(child.tag), []).append(child)
        value = {}
        for name, member in shape.members.items():
            if member.serialization.get("location"):
                continue
            found = children.get(_element_name(name, member))
            if not found:
                continue
            if member.type_name == "list" and member.serialization.get("flattened"):
                value[name] = [from_element(member.member, child) for child in found]
            else:
                value[name] = from_element(member, found[0])
        return value
    if shape.type_name == "list":
        return [from_element(shape.member, child) for child in element]
    if shape.type_name == "map":
        pairs = ([child.text or "" for child in entry] for entry in element)
        return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    return element.text or ""


def _element_name(name: str, member: Any) -> str:
    if member.type_name == "list" and member.serialization.get("flattened"):
        return member.member.serialization.get("name", member.serialization.get("name", name))
    return member.serialization.get("name", name)


def to_xml(shape: Any, value: Any, tag: str) -> str:
    """The XML of a value, as one element named `tag`."""
    if shape.type_name == "structure":
        inner = ""
        for name, member in shape.members.items():
            if name not in value or member.serialization.get("location"):
                continue
            child = _element_name(name, member)
            if member.type_name == "list" and member.serialization.get("flattened"):
                inner += "".join(to_xml(member.member, item, child) for item in value[name])
            else:
                inner += to_xml(member, value[name], child)
        return f"<{tag}>{inner}</{tag}>"
    if shape.type_name == "list":
        item = shape.member.serialization.get("name", "member")
        return f"<{tag}>{''.join(to_xml(shape.member, one, item) for one in value)}</{tag}>"
    if shape.type_name == "map":
        pairs = "".join(
            f"<entry><key>{escape(key)}</key><value>{escape(text)}</value></entry>" for key, text in value.items()
        )
        return f"<{tag}>{pairs}</{tag}>"
    text = {True: "true", False: "false"}.get(value, value) if isinstance(value, bool) else value
    return f"<{tag}>{escape(str(text))}</{tag}>"


def parse_xml(body: bytes) -> Element:
    return ElementTree.fromstring(body)
