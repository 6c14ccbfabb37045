# The release at its pinned commit, whole or not at all; FOLDER, RELEASE, COMMIT, SOURCE.
target=$FOLDER/$RELEASE
if [ -z "$COMMIT" ]; then
    echo "The commit of $RELEASE is not known: give it in the setting commit." >&2
    echo "See it with: git ls-remote $SOURCE 'refs/tags/$RELEASE^{}'" >&2
    exit 1
fi
if ! mkdir -p "$FOLDER" || [ ! -w "$FOLDER" ]; then
    echo "$(id -un) may not write to $FOLDER without root's rights." >&2
    echo "Give a folder of its own: --set folder=${HOME:-/home/$(id -un)}/core-test-harness" >&2
    exit 1
fi
part=$(mktemp -d "$FOLDER/.$RELEASE.XXXXXX")
trap 'rm -rf "$part"' EXIT
chmod 755 "$part"
export GIT_TERMINAL_PROMPT=0 GIT_ALLOW_PROTOCOL=https:http:ssh:file

git -C "$part" init -q
git -C "$part" config core.hooksPath /dev/null
echo "Fetching $RELEASE from $SOURCE"
case $SOURCE in
    # What a bundle brings has one branch, and the whole history.
    *.bundle) ref=refs/heads/bundle ;;
    *) ref=refs/tags/$RELEASE ;;
esac
# A plain web server cannot give a part of a history; then all of it is fetched.
git -C "$part" fetch -q --depth 1 -- "$SOURCE" "$ref" 2>/dev/null ||
    git -C "$part" fetch -q -- "$SOURCE" "$ref"
found=$(git -C "$part" rev-parse 'FETCH_HEAD^{commit}')
if [ "$found" != "$COMMIT" ]; then
    echo "$RELEASE is the commit $found there, and $COMMIT was asked for." >&2
    echo "The tag was moved, or release and commit of the site do not belong together." >&2
    exit 1
fi
git -C "$part" checkout -q --detach "$COMMIT"
# Made here, since Docker would make it as root.
mkdir -p "$part/reports"
if [ -e "$target" ]; then
    # Somebody's half-done copy: it is kept beside, since reports may lie in it.
    mv -T "$target" "$target.before-$(date +%Y%m%d%H%M%S)"
fi
mv -T "$part" "$target"
trap - EXIT
echo "$target is the release $RELEASE ($COMMIT)"
