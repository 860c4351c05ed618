"""`make remote URL=... [NAME=...] [ENDPOINT=...]`: set a DVC remote up for this clone, once a round trip has shown that it can be used.

URL is s3://bucket/prefix, ssh://user@host/path, webdav(s)://host/path, http(s)://host/path or a folder. Without URL: check the remote NAME,
or the one in use, and use it from now on. All is written to .dvc/config.local, which git ignores, also REMOTE_USER and REMOTE_PASSWORD of
the environment (for S3 a key's id and secret); without them the server's own ways hold: ~/.aws, ~/.ssh, a key agent.
"""

import os
import re
import sys
from pathlib import Path

from configobj import ConfigObj

from distill.cli import command
from distill.core.errors import InputError
from tools import probing, run_lock

COMMITTED, LOCAL = Path(".dvc", "config"), Path(".dvc", "config.local")
SCHEMES = ("s3", "ssh", "webdav", "webdavs", "http", "https", "gs", "azure")
PASSWORD = re.compile(r"://[^/@:]*:(?!\d+(?:/|$))[^@]*@")  # host:8080/joe@home has none
CREDENTIALS = {"s3": ("access_key_id", "secret_access_key")}
NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
BACK = "back to the remote in the repository: make remote NAME=embedded"


def main(url: str = "", name: str = "", endpoint: str = "") -> None:
    """Write the settings, take the round trip, and make the remote this clone's default one."""
    scheme = kind(url) if url else ""
    name = name or scheme
    if name and not NAME.fullmatch(name):
        raise InputError(f"NAME={name}: expected a-z, 0-9, - and _: make remote URL=... NAME=lab")
    with run_lock.exclusive("make remote"):
        name = name or probing.default()
        if url:
            note(name, section(url, scheme, endpoint))
        elif not probing.settings(name):
            raise InputError(f"no remote {name!r} is set up here; say where it is: make remote URL=s3://bucket/prefix NAME={name or 'lab'}")
        access = probing.access(name)
        if name != probing.default():
            local = _local()
            local.setdefault("core", {})["remote"] = name
            _write(local)
    print(f"remote {name}, {probing.settings(name)['url']}: {access}; make pull, make push and dvc use it in this clone")
    print(BACK if url else "", end="\n" if url else "")


def kind(url: str) -> str:
    """Return the scheme of a URL, `folder` where it is a path; InputError for one that cannot or may not be used.

    >>> kind("ssh://me@host:2222/data")
    'ssh'
    """
    scheme = url.partition("://")[0] if "://" in url else "folder"
    if PASSWORD.search(url):
        raise InputError(f"URL={scheme}://...: a password in it would end up in files and logs; leave it out, and set {probing.SECRET}")
    if scheme not in (*SCHEMES, "folder"):
        raise InputError(f"URL={url}: expected {', '.join(f'{each}://' for each in SCHEMES)} or a folder")
    if scheme == "folder" and not Path(url).expanduser().absolute().parent.is_dir():
        raise InputError(f"URL={url}: {Path(url).expanduser().absolute().parent} is no folder; make it first, or correct the path")
    return scheme


def section(url: str, scheme: str, endpoint: str) -> dict[str, str]:
    """Return the settings of a remote. `verify` has DVC refuse an object whose content is not what its name says."""
    found = {"url": url if scheme != "folder" else str(Path(url).expanduser().absolute()), "verify": "true"}
    if endpoint:
        found["endpointurl"] = endpoint
    if user := os.environ.get("REMOTE_USER"):
        given = (user, os.environ.get("REMOTE_PASSWORD", ""))
        found |= {key: value for key, value in zip(CREDENTIALS.get(scheme, ("user", "password")), given, strict=True) if value}
        found |= {"auth": "basic"} if scheme in ("http", "https") else {}
    return found


def note(name: str, found: dict[str, str]) -> None:
    """Write a remote to .dvc/config.local; other settings of a remote with the same URL are kept."""
    if probing.title(name) in ConfigObj(str(COMMITTED)):
        raise InputError(f"NAME={name}: .dvc/config, which is in git, has a remote of that name; choose another: NAME=lab")
    local = _local()
    known = local.get(probing.title(name), {})
    local[probing.title(name)] = (dict(known) if known.get("url") == found["url"] else {}) | found
    _write(local)


def _local() -> ConfigObj:
    return ConfigObj(str(LOCAL), encoding="utf-8")


def _write(local: ConfigObj) -> None:
    LOCAL.touch(mode=0o600)
    LOCAL.chmod(0o600)
    local.write()


if __name__ == "__main__":
    command.guarded("remote", lambda: main(*sys.argv[1:4]))
