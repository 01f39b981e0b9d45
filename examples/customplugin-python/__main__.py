"""A plugin in Python: the transform "scale", which multiplies a member of the
payload and says in which unit it is."""

import json

from datafeed_plugin import Filtered, Message, Permanent, Problem, Transform, serve


class Scale(Transform):
    name = "scale"
    summary = "Multiplies a member of the payload, and adds the unit."
    keys = (
        ("field", "text", "value", False, "Member of the payload that is multiplied."),
        ("factor", "number", "", True, "By what it is multiplied."),
        ("unit", "text", "", False, "Unit of the product, which becomes the member unit."),
    )

    def __init__(self, settings):
        self.field = settings["field"]
        if not self.field:
            raise Problem("field", "must not be empty", "write the name of a member, or remove the key")
        self.factor = float(settings["factor"])
        self.unit = settings.get("unit")

    def transform(self, message):
        try:
            members = json.loads(message.payload)
        except (ValueError, RecursionError) as e:
            raise Permanent(f"not a reading: {e}") from e
        if not isinstance(members, dict):
            raise Permanent("not a reading: no JSON object")
        value = members.get(self.field)
        if value is None:
            raise Filtered("no value")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise Permanent(f"{self.field} is no number")
        try:
            members[self.field] = value * self.factor
            if self.unit:
                members["unit"] = self.unit
            payload = json.dumps(members, allow_nan=False)
        except (OverflowError, ValueError) as e:  # JSON has no infinity, which 1e400 is
            raise Permanent(f"it has a number that is too large: {e}") from e
        return [Message(message.uuid, payload.encode(), message.metadata)]


if __name__ == "__main__":
    serve("customplugin-python", "1.0.0", Scale)
