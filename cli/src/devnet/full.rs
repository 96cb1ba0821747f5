//! A full disk under a member: a small file system of its own, in a mount name space that ends with the member's process.
//!
//! The member finds a copy of its data there and so little room that it can only read: it signs nothing on this disk, so nothing
//! is lost with it.

use std::{
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::Context;

use super::state::Layout;
use crate::exit::{Exit, fail};

/// What there is beside a copy of the data: for the store's own text logs, and less than a member needs to write.
const ROOM: u64 = 2 << 20;
/// A copy is held in memory.
const MOST: u64 = 1 << 30;
/// What runs a command in a mount name space of its own, for which no rights are needed where users may have one.
const UNSHARE: [&str; 4] = ["unshare", "--user", "--map-root-user", "--mount"];
/// The room that a member keeps for its next start: it would be given up, and there would be room.
const RESERVE: &str = "reserve";

/// Whether this system lets this user have it.
pub(super) async fn check() -> anyhow::Result<()> {
    let tried = tokio::task::spawn_blocking(|| {
        let script = "mount -t tmpfs -o size=1m tmpfs /tmp";
        let mut command = Command::new(UNSHARE[0]);
        command.args(&UNSHARE[1..]).args(["sh", "-c", script]);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status()
    });
    match tried.await? {
        Ok(status) if status.success() => Ok(()),
        _ => fail(
            Exit::Other,
            "disk-full needs `unshare`, and a system that lets this user have name spaces of its own (user and mount): this one \
             does not",
        ),
    }
}

/// The program, with its arguments, that runs a member of this slot on a disk that is full.
pub(super) fn wrapper(layout: &Layout, slot: u16) -> anyhow::Result<Vec<String>> {
    let data = layout.member_data(slot);
    let bytes = bytes(&data).with_context(|| format!("cannot read {}", data.display()))?;
    if bytes > MOST {
        let (mib, most) = (bytes >> 20, MOST >> 20);
        return fail(Exit::Usage, format!("the member holds {mib} MiB, and disk-full is for at most {most} MiB"));
    }
    let place = place(layout, slot);
    std::fs::create_dir_all(&place).with_context(|| format!("cannot make {}", place.display()))?;
    let path = |path: &Path| path.to_str().map(str::to_owned).context("the devnet's path is not UTF-8");
    let script = format!(
        "set -e; data=$1; full=$2; shift 2; mount -t tmpfs -o size={} tmpfs \"$full\"; \
         for file in \"$data\"/*; do case \"$file\" in */{RESERVE}) ;; *) cp -a \"$file\" \"$full/\" ;; esac; done; \
         mount --bind \"$full\" \"$data\"; exec \"$@\"",
        bytes + ROOM
    );
    let mut wrapper: Vec<String> = UNSHARE.map(str::to_owned).to_vec();
    wrapper.extend(["sh", "-c"].map(str::to_owned));
    wrapper.extend([script, "holdfast".to_owned(), path(&data)?, path(&place)?]);
    Ok(wrapper)
}

/// Removes what [`wrapper`] has made; the file system itself went with the process.
pub(super) fn tidy(layout: &Layout, slot: u16) {
    // Where there is none it was another fault.
    let _none = std::fs::remove_dir(place(layout, slot));
}

fn place(layout: &Layout, slot: u16) -> PathBuf {
    layout.member_dir(slot).join("full")
}

/// Bytes of what is copied, by whole blocks.
fn bytes(folder: &Path) -> std::io::Result<u64> {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        if metadata.is_dir() {
            bytes += self::bytes(&entry.path())?;
        } else if entry.file_name() != RESERVE {
            bytes += metadata.len().next_multiple_of(4096);
        }
    }
    Ok(bytes)
}
