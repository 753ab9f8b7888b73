"""Stand-ins for `kind`, `k3d`, `minikube` and `docker exec`: small programs that reach the test cluster's own nodes.

Each does to the containerd of a node what the real command does: it imports the archive with the same arguments, and
runs `ctr` there. The nodes are the folders `NODE/containerd.sock` in DEVLOOP_E2E_NODES, by default the kubeconfig's
folder. Every call is written down in `calls`, one line each.
"""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

_HEAD = """\
#!/bin/sh
# {name}, for tests
nodes={nodes}
echo "{name} $*" >> {calls}
on() {{ node=$1; shift; {ctr} -a "$nodes/$node/containerd.sock" "$@"; }}
each() {{ for socket in "$nodes"/*/containerd.sock; do on "$(basename "$(dirname "$socket")")" "$@" || exit 1; done; }}
"""
_KIND = """\
case "$1 $2" in
"get clusters") echo e2e ;;
"load image-archive")
    [ "$4 $5" = "--name e2e" ] || { echo "ERROR: no nodes found for cluster \\"$5\\"" >&2; exit 1; }
    each -n k8s.io images import --all-platforms --digests --snapshotter=overlayfs "$3" > /dev/null ;;
*) exit 2 ;;
esac
"""
_K3D = """\
case "$1 $2" in
"cluster list") echo "e2e   1/1   1/1   true" ;;
"image import")
    [ "$4 $5" = "-c e2e" ] || { echo "FATA[0000] failed to find cluster $5" >&2; exit 1; }
    each -n k8s.io images import --all-platforms "$3" > /dev/null ;;
*) exit 2 ;;
esac
"""
_MINIKUBE = """\
[ "$1 $2" = "-p minikube" ] || { echo "* Profile \\"$2\\" not found." >&2; exit 85; }
shift 2
case "$1 $2" in
"image load") each -n k8s.io images import "$3" > /dev/null ;;
"image rm")
    # The runtime removes every name of the image, as crictl's `rmi` does.
    each -n k8s.io images rm "docker.io/library/$3" \\
        $(on "$(ls "$nodes" | grep node | head -1)" -n k8s.io images ls |
            awk -v ref="docker.io/library/$3" '$1 == ref { target = $3 } { name[NR] = $1; at[NR] = $3 }
                END { for (i in name) if (at[i] == target && name[i] ~ /^sha256:/) print name[i] }') ;;
*) exit 2 ;;
esac
"""
_DOCKER = """\
[ "$1" = exec ] || exec {docker} "$@"
node=$2; shift 3
on "$node" "$@"
"""


@dataclass(frozen=True)
class StandIns:
    """The folder of the stand-ins, and what the nodes hold."""

    folder: Path
    nodes: Path

    @property
    def env(self) -> dict[str, str]:
        return {"PATH": f"{self.folder}{os.pathsep}{os.environ['PATH']}"}

    @property
    def calls(self) -> list[str]:
        path = self.folder / "calls"
        return path.read_text().splitlines() if path.exists() else []

    def write(self, name: str, script: str) -> None:
        """Put a program of that name in front of every other."""
        ctr, docker = shutil.which("ctr"), shutil.which("docker")
        head = _HEAD.format(name=name, nodes=self.nodes, calls=self.folder / "calls", ctr=ctr)
        path = self.folder / name
        path.write_text(head + script.replace("{docker}", str(docker)))
        path.chmod(0o755)

    def names(self) -> list[str]:
        return sorted(path.parent.name for path in self.nodes.glob("*/containerd.sock"))

    def images(self, node: str) -> list[list[str]]:
        """The rows of `ctr images ls`: name, type, digest, ..."""
        done = self._ctr(node, "images", "ls")
        return [line.split() for line in done.splitlines()[1:]]

    def tags(self, node: str, repository: str) -> list[str]:
        """The tags of a repository on a node."""
        names = [row[0] for row in self.images(node)]
        return sorted(name.rpartition(":")[2] for name in names if name.rpartition(":")[0] == repository)

    def contents(self, node: str) -> set[str]:
        """Digests of all content there."""
        return set(self._ctr(node, "content", "ls", "-q").split())

    def load(self, folder: Path, ref: str) -> None:
        """Build a folder, and give the image to every node, as somebody does without devloop."""
        archive = self.folder / "image.tar"
        build = ["docker", "buildx", "build", "--quiet", "--provenance=false", "--load", "-t", ref, str(folder)]
        for command in (build, ["docker", "image", "save", "-o", str(archive), ref]):
            subprocess.run(command, check=True, capture_output=True, timeout=60)
        for node in self.names():
            self._ctr(node, "images", "import", str(archive))

    def forget(self, image: str) -> None:
        """Remove every tag of an image from the engine, and from the nodes with what stands for the same content."""
        listed = ["docker", "image", "ls", "--format", "{{.Repository}}:{{.Tag}}", image]
        refs = subprocess.run(listed, check=True, capture_output=True, text=True, timeout=30).stdout.split()
        if refs:
            subprocess.run(["docker", "image", "rm", *refs], check=True, capture_output=True, timeout=30)
        for node in self.names():
            rows = self.images(node)
            targets = {row[2] for row in rows if row[0].startswith(f"docker.io/library/{image}:")}
            if names := [row[0] for row in rows if row[2] in targets]:
                self._ctr(node, "images", "rm", *names)

    def _ctr(self, node: str, *args: str) -> str:
        command = ["ctr", "-a", str(self.nodes / node / "containerd.sock"), "-n", "k8s.io", *args]
        return subprocess.run(command, check=True, capture_output=True, text=True, timeout=30).stdout


def stand_ins(folder: Path) -> StandIns:
    """All of them; skips the test where the nodes cannot be reached."""
    nodes = Path(os.environ.get("DEVLOOP_E2E_NODES") or Path(os.environ.get("KUBECONFIG", "nowhere")).parent)
    if not shutil.which("ctr") or not any(nodes.glob("*/containerd.sock")):
        pytest.skip("needs `ctr` on PATH, and DEVLOOP_E2E_NODES: a folder with NODE/containerd.sock for each node")
    folder.mkdir()
    made = StandIns(folder, nodes)
    for name, script in {"kind": _KIND, "k3d": _K3D, "minikube": _MINIKUBE, "docker": _DOCKER}.items():
        made.write(name, script)
    return made
