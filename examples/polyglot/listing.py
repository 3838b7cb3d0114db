"""The section Listing of PROTOCOL.md, to be copied."""
import inspect


def listing(methods, types):
    """Returns a method for $/methods, which says what there is to call: functions by name, and the types of their
    arguments and results, which their annotations name. A type of its own is in types."""
    answer = {"methods": [describe(name, method) for name, method in sorted(methods.items())], "types": list(types)}

    async def methods_method(*_):
        return answer

    return methods_method


def describe(name, method):
    annotations = dict(method.__annotations__)
    reply = annotations.pop("return", "any")
    args = [*annotations.values(), "any"]  # the argument is the first
    return {"name": name, "arg": args[0], "reply": reply, "doc": inspect.getdoc(method) or ""}
