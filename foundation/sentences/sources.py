"""What Git, registries and Docker say."""

from __future__ import annotations

from typing import Final

from foundation.sentences.model import Sentence

SENTENCES: Final = (
    Sentence(
        "git",
        r"remote: repository not found|repository '[^']+' not found|project you were "
        r"looking for could not be found",
        "there is no such repository, or this login may not see it",
        "Check its address, and the rights of the login or token.",
        "git http.c; GitHub; GitLab",
        "fatal: repository 'https://git.example.org/a.git/' not found",
    ),
    Sentence(
        "git",
        r"remote branch \S+ not found|couldn't find remote ref|reference is not a "
        r"tree|pathspec '[^']+' did not match",
        "the repository has no such branch, tag or commit",
        "See which there are: git ls-remote ADDRESS",
        "git builtin/clone.c, remote.c",
        "fatal: Remote branch v9 not found in upstream origin",
    ),
    Sentence(
        "git",
        r"this repository (exceeded its lfs budget|is over its data quota)",
        "the server gives no more large files (LFS) of the repository: its budget is used up",
        "Whoever owns it has to buy more, or take the files elsewhere.",
        "GitHub",
        "batch response: This repository is over its data quota. Account responsible "
        "for LFS bandwidth should purchase more data packs",
    ),
    Sentence(
        "pip",
        r"retrying \(retry\(total=.{1,300}(newconnectionerror|connecttimeouterror)",
        "the index of Python packages does not answer",
        "See which is meant, and whether it answers: pip config list; curl -sI ADDRESS",
        "urllib3 util/retry.py, connectionpool.py",
        "WARNING: Retrying (Retry(total=4, connect=None, read=None, redirect=None, status=None)) "
        "after connection broken by 'NewConnectionError('<urllib3.connection.HTTPConnection "
        "object at 0x7f>: Failed to establish a new connection: [Errno 111] Connection refused')'",
    ),
    Sentence(
        "registry",
        r"no basic auth credentials",
        "the registry wants a login, and none is kept here",
        "Log in as the user who pulls: docker login NAME, or podman login NAME",
        "moby distribution",
        "Error response from daemon: no basic auth credentials",
    ),
    Sentence(
        "docker",
        r"permission denied while trying to connect to the docker (daemon socket|api)",
        "the login may not speak to Docker on this machine",
        "As root on the machine: usermod -aG docker USER; log in anew",
        "docker client/errors.go",
        "permission denied while trying to connect to the Docker daemon socket at "
        "unix:///var/run/docker.sock",
    ),
    Sentence(
        "docker",
        r"cannot connect to the docker daemon|is the docker daemon running",
        "Docker does not answer on this machine",
        "Start it, and look why it fell: systemctl enable --now docker; journalctl -u docker -n 50",
        "docker client/errors.go",
        "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the "
        "docker daemon running?",
    ),
    Sentence(
        "docker",
        r"port is already allocated|bind: address already in use|bind for \S+ failed",
        "another program of the machine has the port already",
        "See who: ss -ltnp | grep :PORT; stop it, or take another port.",
        "moby libnetwork/portallocator; bind(2)",
        "Bind for 0.0.0.0:443 failed: port is already allocated",
    ),
    Sentence(
        "docker",
        r"non-overlapping ipv4 address pool|all predefined address pools have been "
        r"fully subnetted",
        "Docker has no network left to give out that is free on the machine",
        "See which there are, and take away one that you know to be left over: docker network ls; "
        "docker network rm NAME. A VPN may hold them all.",
        "moby libnetwork/ipam",
        "could not find an available, non-overlapping IPv4 address pool among the "
        "defaults to assign to the network",
    ),
    Sentence(
        "kubernetes",
        r"the connection to the server \S+ was refused|unable to connect to the server: "
        r"dial",
        "the API of Kubernetes does not answer",
        "Look on a master: microk8s status; sudo microk8s inspect",
        "kubectl pkg/cmd/util/helpers.go",
        "The connection to the server 127.0.0.1:16443 was refused - did you specify "
        "the right host or port?",
    ),
    Sentence(
        "kubernetes",
        r"etcdserver: request timed out|etcdserver: no leader|database is locked",
        "the store of Kubernetes does not follow: its disks are slow, or too few masters are there",
        "See how many masters are there, and how busy disks are: microk8s status; iostat -x 2 3",
        "etcd server/etcdserver/api/v3rpc; k8s-dqlite",
        "Error from server: etcdserver: request timed out",
    ),
    # -- Git
    Sentence(
        "git",
        r"could not read (username|password) for|terminal prompts disabled",
        "Git asks for a name and a password of the repository, and nobody can answer",
        "Give the login of the repository, or use its ssh address with a key that it knows.",
        "git credential.c, compat/terminal.c",
        "fatal: could not read Username for 'https://git.example.org': No such device or address",
    ),
    Sentence(
        "git",
        r"authentication failed for|http basic: access denied|support for password authentication "
        r"was removed",
        "the server of the repository refuses the login",
        "Check the name and the token (a password is no longer taken by most), and its rights.",
        "git http.c; GitLab; GitHub",
        "fatal: Authentication failed for 'https://git.example.org/a.git/'",
    ),
    Sentence(
        "git",
        r"host key verification failed",
        "ssh does not know the host key of the server it was to go to",
        "Get its key, compare its fingerprint with the one its owner publishes, then keep it: "
        "ssh-keyscan NAME",
        "OpenSSH sshconnect.c",
        "Host key verification failed.",
    ),
    Sentence(
        "git",
        r"permission denied \(publickey",
        "the server takes none of the ssh keys that were offered",
        "See which are offered: ssh -v NAME; put the public key where the server keeps them.",
        "OpenSSH sshconnect2.c",
        "git@git.example.org: Permission denied (publickey).",
    ),
    Sentence(
        "git",
        r"dubious ownership",
        "the repository's folder belongs to another user, so Git does not read it",
        "Run it as that user, or: git config --global --add safe.directory FOLDER",
        "git setup.c",
        "fatal: detected dubious ownership in repository at '/srv/git/a'",
    ),
    Sentence(
        "git",
        r"shallow update not allowed|from a shallow repository|source repository is shallow",
        "the repository holds only part of its history (a shallow clone, as CI jobs make)",
        "In it: git fetch --unshallow; in a CI job: fetch-depth: 0 (or GIT_DEPTH: 0)",
        "git builtin/receive-pack.c, builtin/clone.c",
        "! [remote rejected] main -> main (shallow update not allowed)",
    ),
    # -- registries
    Sentence(
        "registry",
        r"toomanyrequests|too many requests|pull rate limit",
        "the registry gives no more for now: too much was asked of it from this address",
        "Log in to it (the bound is higher then), or wait: Docker Hub counts six hours.",
        "distribution specification, error codes",
        "toomanyrequests: You have reached your pull rate limit.",
    ),
    Sentence(
        "registry",
        r"server gave HTTP response to HTTPS client",
        "the registry speaks HTTP without TLS",
        "Give it TLS, or name it as insecure where the program that pulls is configured.",
        "Go net/http/transport.go",
        "http: server gave HTTP response to HTTPS client",
    ),
    Sentence(
        "registry",
        r"unauthorized: |authentication required|denied: requested access|insufficient_scope",
        "the registry wants a login, or the login has no right to this image",
        "Log in as the user who pulls: docker login NAME, or podman login NAME",
        "distribution specification, error codes",
        "unauthorized: authentication required",
    ),
    Sentence(
        "registry",
        r"manifest unknown|manifest for \S+ not found|name unknown|repository name not known",
        "the registry has no such image or tag",
        "Check the name and the tag: skopeo list-tags docker://NAME",
        "distribution specification, error codes",
        "manifest unknown: manifest unknown",
    ),
    Sentence(
        "registry",
        r"no matching manifest for|no match for platform|exec format error",
        "the image is not made for this machine's processor",
        "See for which it is: skopeo inspect --raw docker://NAME; the machine's: uname -m",
        "containerd; execve(2) ENOEXEC",
        "no matching manifest for linux/arm64 in the manifest list entries",
    ),
    Sentence(
        "git",
        r"rpc failed; |early eof|unexpected disconnect while reading "
        r"sideband|index-pack failed",
        "the transfer from Git's server was cut off: by a proxy, a bound on sizes, or the network",
        "Try it again; behind a proxy, ask for its bounds of size and time: git -c "
        "http.version=HTTP/1.1 clone ADDRESS",
        "git remote-curl.c, pack",
        "error: RPC failed; curl 56 GnuTLS recv error (-9): Error decoding the "
        "received TLS packet.",
    ),
    Sentence(
        "registry",
        r"received unexpected http status: 5\d\d|\b50[234] (bad gateway|service "
        r"unavailable|gateway time)",
        "a server failed, or a proxy before it could not reach it (HTTP 5xx)",
        "Try again in some minutes; ask who runs it.",
        "RFC 9110, 15.6; distribution",
        "received unexpected HTTP status: 503 Service Unavailable",
    ),
    # -- a program of the machine itself; before the servers elsewhere
    Sentence(
        "docker",
        r"dial(ing)?:? (dial )?unix |failed to dial \"?/\S+\.sock",
        "a service of this very machine does not answer at its socket: it does not run, or starts",
        "See which, by the socket's name: systemctl status containerd docker; for MicroK8s: "
        "microk8s status",
        "Go net/dial.go; containerd client, pkg/dialer",
        'ctr: failed to dial "/run/containerd/containerd.sock": context deadline exceeded: '
        'connection error: desc = "transport: error while dialing: dial unix:///run/containerd/'
        'containerd.sock: timeout"',
    ),
    Sentence(
        "registry",
        r"tls handshake timeout|i/o timeout|context deadline exceeded|connection timed "
        r"out after|request canceled while waiting|client\.timeout exceeded",
        "a server did not answer in time: the network, a firewall or a proxy is in the way",
        "Try it from there: curl -sSI https://NAME; see what is set: env | grep -i proxy",
        "Go net, net/http, context; curl",
        'Get "https://registry-1.docker.io/v2/": net/http: TLS handshake timeout',
    ),
)
