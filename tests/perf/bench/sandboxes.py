# SPDX-License-Identifier: Apache-2.0
"""The sandboxes of others, each to start /usr/bin/true with as little as it can be told to do."""

import json
import pathlib
import subprocess

CONTAINER = "casemate-bench"  # its name
BWRAP = ["bwrap", "--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr",
         "--symlink", "usr/lib64", "/lib64", "--symlink", "usr/lib", "/lib", "--proc", "/proc",
         "--dev", "/dev", "/usr/bin/true"]
# On a machine with cgroup v1 they would refuse, or make groups in every hierarchy.
ALONE = ["unshare", "--mount", "sh", "-c",
         'umount -l /sys/fs/cgroup; mount -t cgroup2 none /sys/fs/cgroup; exec "$@"', "sh"]


def bundle(folder):
    """An OCI bundle without resources, filters and a terminal."""
    made = pathlib.Path(folder) / "bundle"
    (made / "rootfs/usr").mkdir(parents=True)
    for name in ("lib", "lib64"):
        (made / "rootfs" / name).symlink_to(f"usr/{name}")
    subprocess.run(["crun", "spec"], cwd=made, check=True, capture_output=True)
    config = json.loads((made / "config.json").read_text())
    config["process"].update(args=["/usr/bin/true"], terminal=False)
    config["root"] = {"path": "rootfs", "readonly": True}
    config["linux"].pop("resources", None)
    config["mounts"] = [m for m in config["mounts"] if m["type"] != "cgroup"]
    config["mounts"].insert(0, {"destination": "/usr", "type": "bind", "source": "/usr",
                                "options": ["rbind", "ro"]})
    (made / "config.json").write_text(json.dumps(config))
    return made


def sandboxes(folder):
    """By name: what all that follows runs in, and the command that starts one."""
    where = str(bundle(folder))
    return {
        "bwrap": ([], BWRAP),
        "crun": (ALONE, ["crun", "--root", f"{folder}/crun", "--cgroup-manager=disabled", "run",
                         "--bundle", where, CONTAINER]),
        "runc": (ALONE, ["runc", "--root", f"{folder}/runc", "run", "--bundle", where,
                         CONTAINER]),
    }
