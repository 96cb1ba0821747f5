//! Where results are written: links, pipes, devices, modes, and files that exist.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::fs::{FileTypeExt as _, PermissionsExt as _, symlink},
    process::{Command, Stdio},
};

use crate::support::{Devnet, noise, ran};

#[test]
fn links_are_followed_and_stay_links() {
    let devnet = Devnet::shared();
    let payload = noise(500, 30);
    let certificate = devnet.put("links", &payload, &[]);
    let (there, absent) = (devnet.file("links.there", b""), devnet.path("links.absent"));
    for (name, target) in [("links.one", &there), ("links.two", &absent)] {
        let link = devnet.path(name);
        symlink(target, &link).unwrap();
        devnet.run(&["get", &certificate, "-o", &link]).ok();
        assert!(fs::symlink_metadata(&link).unwrap().is_symlink(), "{name}");
        assert_eq!(fs::read(target).unwrap(), payload);
    }
    // Two names of one file stay two names of one file.
    let second = devnet.path("links.second");
    fs::hard_link(&there, &second).unwrap();
    devnet.run(&["get", &certificate, "--force", "-o", &second]).ok();
    assert_eq!(fs::read(&there).unwrap(), payload);
}

#[test]
fn a_pipe_or_a_device_is_written_in_place() {
    let devnet = Devnet::shared();
    let payload = noise(100_000, 31);
    let certificate = devnet.put("pipes", &payload, &[]);
    let pipe = devnet.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    let reader = {
        let pipe = pipe.clone();
        std::thread::spawn(move || fs::read(pipe).unwrap())
    };
    devnet.run(&["get", &certificate, "-o", &pipe]).ok();
    assert_eq!(reader.join().unwrap(), payload);
    assert!(fs::metadata(&pipe).unwrap().file_type().is_fifo());
    devnet.run(&["get", &certificate, "-o", "/dev/null"]).ok();
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    // A link to what the shell has opened.
    let file = devnet.path("opened");
    let opened = fs::File::create(&file).unwrap();
    ran(devnet.command(&["get", &certificate, "-o", "/dev/stdout"]).stdout(opened));
    assert_eq!(fs::metadata(&file).unwrap().len().min(payload.len() as u64), payload.len() as u64);
}

#[test]
fn a_file_keeps_its_mode() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("modes", b"whose mode is kept", &[]);
    for mode in [0o600, 0o640, 0o755] {
        let file = devnet.file("modes.read", b"");
        fs::set_permissions(&file, fs::Permissions::from_mode(mode)).unwrap();
        devnet.run(&["get", &certificate, "--force", "-o", &file]).ok();
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, mode);
    }
    // A new one has what the umask leaves.
    let new = devnet.path("modes.new");
    let script = format!("umask 027; exec {} \"$@\"", env!("CARGO_BIN_EXE_holdfast"));
    let config = devnet.dir().join("client.toml");
    let status = Command::new("sh")
        .args(["-c", &script, "sh", "--config", config.to_str().unwrap(), "get", &certificate, "-o", &new])
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .status()
        .unwrap();
    assert!(status.success());
    assert_eq!(fs::metadata(&new).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn a_minus_is_standard_input_and_output() {
    let devnet = Devnet::shared();
    let payload = noise(4000, 32);
    let through = |arguments: &[&str], input: &[u8]| {
        let mut command = devnet.command(arguments);
        let command = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (mut stdin, input) = (child.stdin.take().unwrap(), input.to_vec());
        let writer = std::thread::spawn(move || stdin.write_all(&input));
        let mut output = Vec::new();
        child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
        let status = child.wait().unwrap();
        // Who has refused has not read all.
        let _ = writer.join().unwrap();
        (status.code(), output)
    };
    let (code, certificate) = through(&["put", "-", "-o", "-"], &payload);
    assert_eq!(code, Some(0));
    assert_eq!(certificate[0], 1, "the certificate, and nothing else");
    assert_eq!(through(&["get", "-", "-o", "-"], &certificate), (Some(0), payload));
    assert_eq!(through(&["cert", "verify", "-"], &certificate).0, Some(0));
    assert_eq!(through(&["put", "-"], b"").0, Some(2));
    assert_eq!(through(&["--json", "put", "-", "-o", "-"], b"x").0, Some(2));
}

#[test]
fn a_file_that_exists_is_kept_unless_it_is_empty_or_may_be_replaced() {
    let devnet = Devnet::shared();
    let certificate = devnet.put("exists", b"first", &[]);
    let before = fs::read(&certificate).unwrap();
    let second = devnet.file("exists.second", b"second");
    let put = ["put", &second, "-o", &certificate];
    let refused = devnet.run(&put);
    refused.fails(6, &["exists.cert exists", "--force"]);
    assert!(!refused.stderr.contains("dispersing"), "{}", refused.stderr);
    devnet.run(&["get", &certificate, "-o", &certificate]).fails(6, &["--force"]);
    assert_eq!(fs::read(&certificate).unwrap(), before);
    devnet.run(&[&put[..], &["--force"]].concat()).ok();
    assert_ne!(fs::read(&certificate).unwrap(), before);
    let empty = devnet.file("exists.empty", b"");
    devnet.run(&["get", &certificate, "-o", &empty]).ok();
    assert_eq!(fs::read(&empty).unwrap(), b"second");
    let left = fs::read_dir(std::path::Path::new(&certificate).parent().unwrap()).unwrap();
    assert!(left.filter_map(Result::ok).all(|entry| !entry.file_name().to_str().unwrap().ends_with(".tmp")));
}
