"""Check the running stack from outside, over verified TLS: `make smoke`."""

import http.client
import socket
import ssl
import subprocess
import sys

# Path -> status, and a text in the body or the Location header. {prefix} is ROOT_PATH; Caddy itself
# returns 404 for internal paths and for paths outside it. With DOCS=false, openapi.json returns 404
# as well.
EXPECTED = {
    "/": (302, "{prefix}/docs"),
    "{prefix}/openapi.json": (200, "openapi"),
    "{prefix}/nowhere": (404, "Not Found"),
    "{prefix}/health/ready": (404, "Not Found"),
# <% if cookiecutter.use_prometheus %>
    "/metrics": (404, "Not Found"),
    "{prefix}/metrics": (404, "Not Found"),
# <% endif %>
}
ROOT = "/data/caddy/pki/authorities/local/root.crt"


def main() -> int:
    """Print each response that differs from `EXPECTED`; return the exit code."""
    domain, https_port, prefix = inside("echo $DOMAIN:$HTTPS_PORT:$ROOT_PATH").split(":", 2)
    port = int(https_port)
    expected = {
        path.format(prefix=prefix): (status, text.format(prefix=prefix))
        for path, (status, text) in EXPECTED.items()
    }
    context = ssl.create_default_context()
    # Trust Caddy's local CA if it has one.
    if root := inside(f"cat {ROOT} 2>/dev/null || true"):
        context.load_verify_locations(cadata=root)
    problems = [
        f"{path}: {problem}"
        for path, answer in expected.items()
        if (problem := check(domain, port, path, answer, context))
    ]
    print("\n".join(problems) or f"https://{domain}:{port}: {len(expected)} responses as expected")
    return len(problems) > 0


def inside(command: str) -> str:
    """Return the output of a shell command in Caddy's container."""
    words = ["docker", "compose", "exec", "-T", "caddy", "sh", "-c", command]
    return subprocess.run(words, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()


def check(
    domain: str, port: int, path: str, expected: tuple[int, str], context: ssl.SSLContext
) -> str:
    """Return the problem with the response to a GET of `path`, or an empty string."""
    connection = http.client.HTTPSConnection(domain, port, timeout=10)
    try:
        # Connect to this machine, whatever address the domain resolves to.
        plain = socket.create_connection(("127.0.0.1", port), timeout=10)
        connection.sock = context.wrap_socket(plain, server_hostname=domain)
        connection.request("GET", path)
        response = connection.getresponse()
        text = response.read().decode() + response.getheader("Location", "")
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    if (response.status, True) != (expected[0], expected[1] in text):
        return f"expected {expected}, got {response.status} {text[:200]!r}"
    return "" if response.getheader("X-Request-ID") else "no X-Request-ID"


if __name__ == "__main__":
    sys.exit(main())
