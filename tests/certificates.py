"""Certificates for a PostgreSQL of the tests' own, from an authority that nobody else knows. Needs openssl."""
import os
import subprocess

from postgres import unprivileged


def openssl(*arguments):
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)


def authority(directory, name):
    key, certificate = directory / f"{name}.key", directory / f"{name}.pem"
    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", f"/CN={name}", "-keyout", key, "-out", certificate)
    return key, certificate


def certify(cluster, directory, host="localhost"):
    """Gives the server a certificate for `host`; the authority's own certificate, and one of another authority."""
    (key, ca), (_, other) = authority(directory, "ca"), authority(directory, "other")
    request, extension = directory / "server.csr", directory / "extension"
    extension.write_text(f"subjectAltName=DNS:{host}")
    server_key, certificate = cluster.directory / "server.key", cluster.directory / "server.crt"
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-subj", f"/CN={host}", "-keyout", server_key, "-out", request)
    openssl("x509", "-req", "-in", request, "-CA", ca, "-CAkey", key, "-CAcreateserial", "-days", "2", "-extfile", extension, "-out", certificate)
    for file in (server_key, certificate):
        file.chmod(0o600)
        if "user" in unprivileged():
            os.chown(file, unprivileged()["user"], unprivileged()["group"])
    return ca, other
