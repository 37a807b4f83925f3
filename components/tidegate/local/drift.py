"""What keeps Envoy from serving the routes that are written down, in words."""

from tidegate.local.stack import LocalStack
from tidegate.traffic.router import RouterError


async def damage(stack: LocalStack) -> list[str]:
    """What keeps Envoy from serving the routes that are written down; empty when nothing does."""
    files = stack.gateway.discovery
    found = []
    if not files.routes_file.exists():
        found.append("the route file was deleted")
    elif not files.routes_are_as_recorded():
        found.append("the route file was edited by hand")
    if not await stack.gateway.is_serving():
        return [*found, "Envoy is down"]
    try:
        if not found and await stack.gateway.admin().routes_version() != files.routes_version():
            found.append("Envoy serves other routes than those written down")
    except RouterError as error:
        found.append(str(error))
    return found
