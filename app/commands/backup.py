"""``paperwatch backup | restore``: one archive with everything worth keeping, checked when it is read.

The archive is a tar (gzipped where its name ends in ``.gz`` or ``.tgz``): ``manifest.json`` first, then
``paperwatch.db``, a SQLite file whatever the service's database is, the ``secret`` that signs links, and the
local ``outbox``. So a backup of either kind of database can be restored into either.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import tarfile
import tempfile
from pathlib import Path
from typing import Any

import typer

from app import build
from app.failures import CommandError
from app.settings import Settings, load, secret
from app.version import VERSION
from db import backup as database_file
from db import copying, migrate
from db.session import Database

FORMAT = 1
_MANIFEST, _DATABASE, _SECRET, _OUTBOX = "manifest.json", "paperwatch.db", "secret", "outbox/"


def backup(path: Path) -> None:
    """Write the archive; the service may be at work meanwhile."""
    settings = load()
    partial = path.with_name(path.name + ".partial")
    if not path.parent.is_dir():
        raise CommandError(f"{path.parent} is no folder")
    if not path.name.endswith((".tar", ".gz", ".tgz")):
        raise CommandError(f"{path}: the archive's name must end with .tar, .tar.gz or .tgz", status=2)
    database = Database(settings.database)
    if (revision := migrate.current(database)) != migrate.newest():
        raise CommandError(
            f"the schema is at revision {revision or 'none'}: run `paperwatch db upgrade` first"
        )
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".paperwatch-backup-") as folder:
        held = Path(folder) / _DATABASE
        database_file.to_file(database, held)
        rows = _rows(held)
        files = {_DATABASE: held, _SECRET: Path(folder) / _SECRET}
        files[_SECRET].write_text(secret(settings))
        # After the database: a mail that it knows as sent is in here, and one too many does no harm.
        files |= {_OUTBOX + each.name: each for each in sorted(settings.outbox_folder.glob("*.eml"))}
        manifest = {
            "format": FORMAT, "paperwatch": VERSION, "made_at": build.now().isoformat(),
            "revision": migrate.newest(), "rows": rows,
            "sha256": {name: _digest(file) for name, file in files.items()},
        }  # fmt: skip
        try:
            _write(partial, manifest, files)
            partial.replace(path)
        finally:
            partial.unlink(missing_ok=True)
    typer.echo(
        f"{path}: {sum(rows.values())} rows, {path.stat().st_size:,} bytes; it holds the secret, keep it safe"
    )


def restore(path: Path, *, replace: bool) -> None:
    """Put an archive back into the database and the data folder of these settings."""
    settings = load()
    if not path.is_file():
        raise CommandError(f"{path}: there is no such file", status=2)
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=settings.data, prefix=".restore-") as folder:
        manifest = _read(path, Path(folder))
        _compare_secrets(settings, (Path(folder) / _SECRET).read_text(), replace=replace)
        database = Database(settings.database)
        migrate.upgrade(database)
        try:
            done = database_file.from_file(Path(folder) / _DATABASE, database, replace=replace)
        except copying.NotEmptyError as exc:
            raise CommandError(f"{exc}, or write over what is there with --replace") from exc
        lost = {name: n for name, n in manifest["rows"].items() if done.get(name, 0) != n}
        if lost:
            raise CommandError(f"the backup said {lost} rows, the database has {done}")
        settings.outbox_folder.mkdir(exist_ok=True)
        for file in sorted((Path(folder) / "outbox").glob("*.eml")):
            file.replace(settings.outbox_folder / file.name)
        if not settings.secret:
            kept = Path(folder) / _SECRET
            kept.chmod(0o600)
            kept.replace(settings.data / "secret")
    typer.echo(f"{sum(done.values())} rows restored, as they were at {manifest['made_at']}")


def _rows(held: Path) -> dict[str, int]:
    database = Database(f"sqlite:///{held}")
    try:
        return copying.counts(database)
    finally:
        database.dispose()


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, manifest: dict[str, Any], files: dict[str, Path]) -> None:
    """Write the archive, readable by nobody else, and see it on the disk before it gets its name."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        gzipped = path.name.removesuffix(".partial").endswith((".gz", ".tgz"))
        with tarfile.open(fileobj=file, mode="w:gz" if gzipped else "w") as archive:
            told = json.dumps(manifest, indent=2).encode()
            head = tarfile.TarInfo(_MANIFEST)
            head.size = len(told)
            archive.addfile(head, io.BytesIO(told))
            for name, each in files.items():
                archive.add(each, name, recursive=False)
        file.flush()
        os.fsync(file.fileno())


def _read(path: Path, folder: Path) -> dict[str, Any]:
    """Unpack the archive into the folder, each file checked against the manifest's checksum."""
    (folder / "outbox").mkdir()
    try:
        with tarfile.open(path) as archive:
            first = archive.next()
            if first is None or first.name != _MANIFEST:
                raise CommandError(f"{path} is no backup of Paperwatch: it does not begin with {_MANIFEST}")
            manifest: dict[str, Any] = json.loads(_bytes(archive, first))
            if manifest["format"] != FORMAT:
                raise CommandError(f"{path} has format {manifest['format']}; this version reads {FORMAT}")
            expected = dict(manifest["sha256"])
            while member := archive.next():
                # Names come from a file: only those that the manifest lists, and none that leads elsewhere.
                plain = member.name in {_DATABASE, _SECRET} or (
                    member.name.startswith(_OUTBOX) and member.name.count("/") == 1
                )
                if not (plain and member.isfile() and member.name in expected):
                    raise CommandError(f"{path} holds {member.name!r}, which is not in its manifest")
                archive.extract(member, folder, filter="data")
                if _digest(folder / member.name) != expected.pop(member.name):
                    raise CommandError(f"{path}: {member.name} is damaged; nothing was restored")
    except (tarfile.TarError, EOFError, OSError, ValueError, KeyError) as exc:
        raise CommandError(f"{path} cannot be read as a backup: {exc}; nothing was restored") from exc
    if expected:
        raise CommandError(f"{path} lacks {', '.join(expected)}; nothing was restored")
    return manifest


def _bytes(archive: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = archive.extractfile(member)
    return file.read() if file else b""


def _compare_secrets(settings: Settings, kept: str, *, replace: bool) -> None:
    """Refuse a secret other than the backup's: every link in every mail that was sent would end to work."""
    here = settings.data / "secret"
    if settings.secret and settings.secret != kept:
        raise CommandError(
            "PAPERWATCH_SECRET differs from the backup's secret, which links in mails already sent want; "
            "unset it, and the backup's is put into the data folder"
        )
    if not settings.secret and not replace and here.exists() and here.read_text().strip() != kept:
        raise CommandError(
            f"{here} differs from the backup's secret; --replace puts the backup's in its place"
        )
