"""What sudo, PAM and sshd say of a login and of its rights."""

from __future__ import annotations

from typing import Final

from foundation.sentences.model import Sentence

SENTENCES: Final = (
    Sentence(
        "sudo",
        r"not allowed to (preserve the environment|set the following environment)",
        "sudo lets nobody keep variables of the environment on this machine (SETENV)",
        "As root on the machine, in /etc/sudoers.d: {sudoer} ALL=(ALL) SETENV: ALL",
        "sudo plugins/sudoers/sudoers.c",
        "sudo: sorry, you are not allowed to preserve the environment",
    ),
    Sentence(
        "sudo",
        r"doas: (operation not permitted|a tty is required|doas is not enabled)|doas: "
        r"authentication failed",
        'doas lets "{user}" not become root without a person',
        "Sitewright becomes root by sudo: as root on the machine, apt-get install sudo "
        "&& usermod -aG sudo {user}",
        "OpenDoas doas.c",
        "doas: Operation not permitted",
    ),
    Sentence(
        "pam",
        r"authentication token is no longer valid|authentication token manipulation "
        r"error|your account has expired",
        'the password or the account of "{user}" has expired on this machine',
        "As root on the machine, see what expired and set it anew: chage -l {user}; passwd {user}",
        "Linux-PAM libpam/pam_strerror.c, modules/pam_unix",
        "sudo: PAM: Authentication token is no longer valid; new one required",
    ),
    Sentence(
        "pam",
        r"user account has expired|account expired or pam config lacks",
        'the account of "{user}" has expired on this machine',
        "As root on the machine: chage -l {user}; chage -E -1 {user}",
        "Linux-PAM libpam/pam_strerror.c; sudo plugins/sudoers/auth/pam.c",
        'sudo: Account expired or PAM config lacks an "account" section for sudo',
    ),
    Sentence(
        "pam",
        r"maximum number of (re)?tries|have exhausted maximum number",
        'too many wrong passwords were given for "{user}"',
        "Wait a minute, and give the right one; as root, faillock --user {user} tells the count",
        "Linux-PAM libpam/pam_strerror.c",
        "Have exhausted maximum number of retries for service",
    ),
    # -- sudo: what keeps a command from running as root
    Sentence(
        "sudo",
        r"not in the sudoers file|may not run sudo|i'm sorry \S+\. i'm afraid i can't",
        '"{user}" may not use sudo on this machine (is not in the sudoers file)',
        "As root on the machine: usermod -aG sudo {user}; or log in as a user who may.",
        "sudo plugins/sudoers/logging.c; sudo-rs src/common/error.rs",
        "anna is not in the sudoers file.",
    ),
    Sentence(
        "sudo",
        r"is not allowed to (execute|run)",
        'sudo lets "{user}" run some commands only, and not this one',
        "Give the user the right to run everything for the time of the installation, in "
        "/etc/sudoers.d: {sudoer} ALL=(ALL) ALL",
        "sudo plugins/sudoers/logging.c",
        "Sorry, user anna is not allowed to execute '/bin/sh' as root on n1.",
    ),
    Sentence(
        "sudo",
        r"must have a tty|a terminal is required to|no tty present",
        "sudo on this machine asks for a terminal (requiretty), which a program does not have",
        "As root on the machine, in /etc/sudoers.d: Defaults:{sudoer} !requiretty",
        "sudo src/tgetpass.c, plugins/sudoers/policy.c",
        "sudo: sorry, you must have a tty to run sudo",
    ),
    Sentence(
        "sudo",
        r"sudo: (command )?not found|sudo: no such file|not found: sudo|unknown command: sudo",
        "there is no sudo on this machine",
        "Log in as root, or as root on the machine: apt-get install sudo",
        "dash, bash, zsh, fish",
        "sh: 1: exec: sudo: not found",
    ),
    Sentence(
        "sudo",
        r"sudo:.*(setuid|effective uid|no new privileges|nosuid)",
        "sudo on this machine has lost its rights (it is not setuid root, or may not be)",
        "As root on the machine: chmod 4755 /usr/bin/sudo; check the mount options of /usr",
        "sudo src/sudo.c",
        "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set",
    ),
    Sentence(
        "sudo",
        r"sudoers.*(parse error|syntax error)|(parse error|syntax error).*sudoers|no valid sudoers|"
        r"bad permissions|is world writable|sudoers is owned by uid|sudo\.conf is owned by uid|"
        r"unable to (stat|open) \S*/sudoers|unable to initialize policy plugin",
        "the sudoers files of this machine are broken",
        "As root on the machine: visudo -c",
        "sudo plugins/sudoers/sudoers.c",
        "sudo: no valid sudoers sources found, quitting",
    ),
    Sentence(
        "sudo",
        r"sudo: .{0,80}(ldap_\w+\(\)|sssd?\b.{0,40}not responding|unable to initialize sss)|"
        r"(pam account management error: )?authentication service cannot retrieve",
        "sudo asks a directory (LDAP, SSSD) who may use it, and the directory does not answer",
        "See why, as root on the machine: systemctl status sssd; sssctl domain-status; getent "
        "passwd NAME",
        "sudo plugins/sudoers/ldap.c, sssd.c; Linux-PAM PAM_AUTHINFO_UNAVAIL",
        "sudo: ldap_start_tls_s(): Connect error",
    ),
    # -- PAM, sshd and the login
    Sentence(
        "sshd",
        r"please log ?in as the user .{1,40} rather than the user",
        "the machine lets this user log in only to say which user to take instead",
        "Log in as the user that it names (--user NAME, or user: NAME in the site file), who "
        "becomes root by sudo.",
        "cloud-init cloudinit/config/cc_ssh.py, disable_root_opts",
        'Please login as the user "ubuntu" rather than the user "root".',
    ),
    Sentence(
        "sshd",
        r"(shell|exec|pty allocation) request failed on channel",
        "sshd lets the login in and cannot start anything for it: a bound of processes or of "
        "memory is reached, or /dev/pts is not mounted",
        "See why, as root on the machine: journalctl -u ssh -n 20; systemctl status user.slice; "
        "findmnt /dev/pts",
        "OpenSSH clientloop.c, session.c",
        "PTY allocation request failed on channel 0",
    ),
    Sentence(
        "pam",
        r"password.{0,40}expired|password change required|required to change your password|"
        r"change your password now|account validation|account (has )?expired",
        'the password or the account of "{user}" has expired on this machine',
        "Log in once by hand and set a new password: ssh {user}@… passwd; as root on the machine, "
        "chage -l {user} tells what expired",
        "Linux-PAM modules/pam_unix/pam_unix_acct.c; sudo plugins/sudoers/auth/pam.c",
        "You are required to change your password immediately (administrator enforced).",
    ),
    Sentence(
        "pam",
        r"account (is )?(temporarily )?locked|locked due to|locked out",
        'the account of "{user}" is locked on this machine',
        "As root on the machine: faillock --user {user} --reset",
        "Linux-PAM modules/pam_faillock/pam_faillock.c",
        "The account is locked due to 3 failed logins.",
    ),
    Sentence(
        "pam",
        r"system is (booting up|going down)|unprivileged users are not permitted to log in",
        "the machine is starting or going down and lets nobody in but root",
        "Wait until it has started: systemctl is-system-running --wait; a /run/nologin that stays "
        "is taken away with: systemctl start systemd-user-sessions",
        "Linux-PAM modules/pam_nologin; systemd src/user-sessions",
        '"System is booting up. Unprivileged users are not permitted to log in yet."',
    ),
    Sentence(
        "pam",
        r"too many logins for|maxlogins",
        'the machine allows "{user}" no more sessions at once (maxlogins)',
        "End sessions that hang: loginctl list-sessions; the bound stands in "
        "/etc/security/limits.conf",
        "Linux-PAM modules/pam_limits/pam_limits.c",
        "There were too many logins for 'anna'.",
    ),
    Sentence(
        "sshd",
        r"account is currently not available|account is disabled",
        '"{user}" has no login shell (nologin)',
        "As root on the machine: usermod -s /bin/bash {user}; or log in as another user.",
        "shadow src/nologin.c",
        "This account is currently not available.",
    ),
    Sentence(
        "sshd",
        r"allows sftp connections only",
        'sshd lets "{user}" copy files only (ForceCommand internal-sftp)',
        "Log in as a user who may run commands, or take the Match block of {user} out of "
        "/etc/ssh/sshd_config and: systemctl reload ssh",
        "OpenSSH session.c",
        "This service allows sftp connections only.",
    ),
    Sentence(
        "sshd",
        r"exceeded maxstartups",
        "the machine has too many logins under way (MaxStartups)",
        "Wait a minute; somebody may be guessing passwords there: journalctl -u ssh -n 50; the "
        "bound is MaxStartups in /etc/ssh/sshd_config",
        "OpenSSH sshd.c",
        "Exceeded MaxStartups",
    ),
    Sentence(
        "sshd",
        r"not allowed at this time",
        "sshd turns this address away for a while after failed logins (PerSourcePenalties)",
        "Wait some minutes; an address that is ours is spared with PerSourcePenaltyExemptList in "
        "/etc/ssh/sshd_config",
        "OpenSSH sshd.c (9.8 and later)",
        "Not allowed at this time",
    ),
    Sentence(
        "sshd",
        r"could not chdir to home directory",
        'the home folder of "{user}" is not there',
        "As root on the machine: mkhomedir_helper {user}; or mount what holds /home.",
        "OpenSSH session.c",
        "Could not chdir to home directory /home/anna: No such file or directory",
    ),
    Sentence(
        "sshd",
        r"remote host identification has changed|host key for \S+ has changed",
        "the machine shows another host key than the one that is trusted",
        "Find out on its console whether it was installed anew; only then: ssh-keygen "
        "-R NAME, and sitewright trust",
        "OpenSSH sshconnect.c",
        "@    WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED!     @",
    ),
    Sentence(
        "sshd",
        r"unprotected private key file|load key \S+ bad permissions",
        "ssh does not use the private key, for others may read its file",
        "Make it private: chmod 600 FILE",
        "OpenSSH authfile.c",
        "@         WARNING: UNPROTECTED PRIVATE KEY FILE!          @",
    ),
    Sentence(
        "sshd",
        r"load key \S+ (error in libcrypto|invalid format)",
        "the private key's file is broken: cut off, without its last line end, or of another form",
        "Look at it: ssh-keygen -y -f FILE; a copy needs a line end after its last line.",
        "OpenSSH sshkey.c, ssherr.c",
        'Load key "/root/.ssh/id_rsa": error in libcrypto',
    ),
    Sentence(
        "sshd",
        r"unable to negotiate with .{1,80} no matching",
        "ssh and the server have no algorithm in common; the server is very old or very restricted",
        "Update openssh-server on it, or allow there what it says that it has: ssh -vv NAME",
        "OpenSSH kex.c, ssherr.c",
        "Unable to negotiate with 10.0.0.1 port 22: no matching host key type found. "
        "Their offer: ssh-rsa",
    ),
    Sentence(
        "sshd",
        r"open failed: connect failed:",
        "the bastion was reached, and the machine behind it was not reached from there",
        "Try it on the bastion: nc -vz NAME 22; the address is the one that the bastion knows it "
        "by.",
        "OpenSSH channels.c, SSH_OPEN_CONNECT_FAILED",
        "channel 0: open failed: connect failed: Connection refused\nstdio forwarding failed",
    ),
    Sentence(
        "sshd",
        r"stdio forwarding failed|open failed: administratively prohibited",
        "a bastion does not allow connections through it",
        "In its sshd_config: AllowTcpForwarding yes, and PermitOpen for the machine; "
        "then systemctl reload ssh",
        "OpenSSH clientloop.c, channels.c",
        "channel 0: open failed: administratively prohibited: open failed",
    ),
    Sentence(
        "sshd",
        r"(kex|ssh)_exchange_identification:|banner exchange: connection to",
        "a server on the way closed the connection before it spoke SSH: it refuses "
        "this address (fail2ban, hosts.deny), has too many logins under way "
        "(MaxStartups), or no sshd listens",
        "Look on it at: journalctl -u ssh -n 20",
        "OpenSSH kex.c",
        "kex_exchange_identification: Connection closed by remote host",
    ),
    Sentence(
        "sshd",
        r"too many authentication failures",
        "the server ended the login after too many keys; an agent with many keys uses "
        "up the attempts",
        "Name the one key that is meant (identity_files, or --identity), or set "
        "IdentitiesOnly yes in the ssh config.",
        "OpenSSH auth.c",
        "Received disconnect from 10.0.0.1 port 22:2: Too many authentication failures",
    ),
    Sentence(
        "sshd",
        r"ssh: connect to host \S+ port \d+:",
        "a machine cannot be connected to by ssh",
        "Try it from where it was said: nc -vz NAME 22",
        "OpenSSH sshconnect.c",
        "ssh: connect to host 10.0.0.1 port 22: Connection refused",
    ),
)
