"""What is said of the way out: proxies, TLS and names."""

from __future__ import annotations

from typing import Final

from foundation.sentences.model import Sentence

SENTENCES: Final = (
    Sentence(
        "tls",
        r"not yet activated|uses not yet valid certificate",
        "a certificate is not valid yet: the clock of the machine is behind",
        "Set the clock: timedatectl set-ntp true; timedatectl",
        "GnuTLS lib/auth/cert",
        "Certificate verification failed: The certificate chain uses not yet valid certificate.",
    ),
    # -- proxies, names and TLS; before those who pass their words on
    Sentence(
        "proxy",
        r"\b407\b.{0,60}(proxy|from proxy|authentication)|proxy authentication required",
        "the proxy wants a name and a password",
        "Give them with its address (http://name:password@proxy:3128), where the proxy is set.",
        "RFC 9110, 15.5.8; curl lib/http_proxy.c",
        "Received HTTP code 407 from proxy after CONNECT",
    ),
    Sentence(
        "proxy",
        r"(could not|couldn't|cannot) resolve proxy|tunnel connection failed|"
        r"proxy CONNECT aborted|response \d+ from proxy|from proxy after CONNECT",
        "the proxy that is set does not let it through, or cannot be found",
        "See what is set: env | grep -i proxy; ask who runs the proxy to allow the address.",
        "curl lib/http_proxy.c; CPython http.client",
        "curl: (56) CONNECT tunnel failed, response 403 from proxy after CONNECT",
    ),
    Sentence(
        "tls",
        r"certificate is not yet valid|certificate has expired|certificate has expired or is not "
        r"yet valid",
        "a certificate is out of its time: it has expired, or the clock here is wrong",
        "Look at the clock first: date; timedatectl. Then at the certificate: openssl s_client "
        "-connect NAME:443 </dev/null | openssl x509 -noout -dates",
        "OpenSSL crypto/x509/x509_txt.c; Go crypto/x509/verify.go",
        "x509: certificate has expired or is not yet valid: current time 2026-01-01",
    ),
    Sentence(
        "tls",
        r"certificate signed by unknown authority|unable to get local issuer certificate|"
        r"self[- ]signed certificate|certificate verif(y|ication) failed|SSL certificate problem",
        "a server shows a certificate of an authority that is not known here; a proxy that looks "
        "into TLS does the same",
        "See who issued it: openssl s_client -connect NAME:443 </dev/null | openssl x509 -noout "
        "-issuer. If it is your own authority: put its certificate into "
        "/usr/local/share/ca-certificates/NAME.crt and run update-ca-certificates",
        "OpenSSL crypto/x509/x509_txt.c; Go crypto/x509/verify.go",
        "x509: certificate signed by unknown authority",
    ),
    Sentence(
        "dns",
        r"temporary failure (in name resolution|resolving)|could not resolve host|"
        r"name or service not known|server misbehaving|no such host",
        "a name does not resolve there",
        "Ask for it, and who is asked: getent hosts NAME; resolvectl status, or cat "
        "/etc/resolv.conf",
        "glibc resolv/gai_strerror.c; curl lib/strerror.c; Go net/dnsclient.go",
        "Temporary failure resolving 'deb.debian.org'",
    ),
    Sentence(
        "proxy",
        r"cannot connect to proxy|unable to connect to proxy|proxyconnect tcp",
        "the proxy that is set does not answer",
        "See what is set, and try it: env | grep -i proxy; curl -x http://PROXY:PORT "
        "-I https://NAME",
        "urllib3; Go net/http/transport.go",
        'Get "https://registry-1.docker.io/v2/": proxyconnect tcp: dial tcp '
        "10.0.0.1:3128: connect: connection refused",
    ),
    Sentence(
        "tls",
        r"certificate is valid for .{1,200}, not |doesn't contain any ip "
        r"sans|certificate relies on legacy common name|subject name .{0,80} does not "
        r"match|hostname mismatch|doesn't match '",
        "a server shows a certificate for another name than the one that it was asked by",
        "See for which it is, and use one of those: openssl s_client -connect NAME:443 "
        "</dev/null | openssl x509 -noout -ext subjectAltName",
        "Go crypto/x509/verify.go; curl lib/vtls; CPython ssl",
        "x509: cannot validate certificate for 10.0.0.1 because it doesn't contain any IP SANs",
    ),
    Sentence(
        "tls",
        r"wrong version number|first record does not look like a tls handshake|packet "
        r"length too long",
        "TLS was spoken to a port that speaks none: http in place of https, often a "
        "proxy's own address",
        "Check whether it is http:// or https:// where the address is set.",
        "OpenSSL ssl/record; Go crypto/tls/conn.go",
        "error:0A00010B:SSL routines::wrong version number",
    ),
)
