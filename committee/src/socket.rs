//! A Unix socket to listen on, which only its own user and root can use.

use std::{
    fs::{self, Permissions},
    io::{self, ErrorKind},
    os::unix::{
        fs::{FileTypeExt as _, PermissionsExt as _},
        net::UnixStream as StdStream,
    },
    path::{Path, PathBuf},
    task::{Context, Poll},
};

use socket2::{Domain, SockAddr, Socket as Raw, Type};
use tokio::net::{UnixListener, UnixStream, unix::SocketAddr};

/// Connections that wait to be taken.
const BACKLOG: i32 = 16;

/// What is taken from it.
pub(crate) type Accepted = (UnixStream, SocketAddr);

/// The socket. Its file goes away with it.
#[derive(Debug)]
pub(crate) struct Socket {
    listener: UnixListener,
    _file: SocketFile,
}

#[derive(Debug)]
struct SocketFile(PathBuf);

impl Socket {
    /// Makes the socket. Nobody else can connect at any time: nobody is listened to before the file's mode is set. A socket that
    /// nobody answers on, of a process that was killed, is replaced.
    pub(crate) fn bind(path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => {
                return Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"));
            }
            Ok(_) if StdStream::connect(path).is_ok() => {
                return Err(io::Error::new(ErrorKind::AddrInUse, "another process takes orders there"));
            }
            Ok(_) => fs::remove_file(path)?,
            Err(_) => {}
        }
        let socket = Raw::new(Domain::UNIX, Type::STREAM, None)?;
        socket.bind(&SockAddr::unix(path)?)?;
        let file = SocketFile(path.to_owned());
        fs::set_permissions(path, Permissions::from_mode(0o600))?;
        socket.listen(BACKLOG)?;
        socket.set_nonblocking(true)?;
        let listener =
            UnixListener::from_std(std::os::unix::net::UnixListener::from(std::os::fd::OwnedFd::from(socket)))?;
        Ok(Self { listener, _file: file })
    }

    /// The next connection.
    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        self.listener.poll_accept(context)
    }
}

impl Drop for SocketFile {
    fn drop(&mut self) {
        let _gone = fs::remove_file(&self.0);
    }
}
