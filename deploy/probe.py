"""The health check of a container: ends with 0 when the address answers 200, else with 1 and the reason."""

import sys
import urllib.error
import urllib.request

SECONDS = 4.0


def main(url: str) -> int:
    """Ask once."""
    try:
        with urllib.request.urlopen(url, timeout=SECONDS):  # noqa: S310  # the address stands in docker-compose.yml
            return 0
    except urllib.error.HTTPError as error:
        print(f"{error.code}: {error.read(500).decode(errors='replace')}")
    except OSError as error:
        print(error)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
