//! Local mode: the whole product on this machine, against MiniStack.
//!
//! MiniStack is started on first use and left running. It keeps nothing when it stops. Its port and process
//! stand in a state directory, so that several can run side by side (tests do).
//!
//! Whoever reaches it can run code as the user, by creating a function. So it takes only requests that are signed
//! with the key of its own start (`ministack/door.py`), and what it keeps is in directories of the user alone.

mod build;
mod directory;
mod image;
mod launcher;
mod process;
mod python;
mod server;

pub use build::{FUNCTIONS, FunctionZip, build_functions};
pub use image::{has_images, push_sample};
pub use server::{Endpoint, Key, Server};

/// The pinned MiniStack (PyPI, MIT).
pub const MINISTACK: &str = "1.5.33";

/// The account of local mode.
pub const ACCOUNT: &str = "000000000000";

/// The region of local mode.
pub const REGION: &str = "us-east-1";

/// What can go wrong before there is an emulator to talk to. Each is one sentence with its remedy.
#[derive(Debug, thiserror::Error)]
pub enum LocalError {
    /// There is no Python, or only an old one.
    #[error(
        "Local mode needs Python 3.10 or newer, and none was found ({0}). Install it, or put it on the PATH as `python3`."
    )]
    NoPython(String),
    /// The virtual environment could not be made.
    #[error(
        "A virtual environment for MiniStack could not be made: {0}. Some systems have it apart: `apt install python3-venv`."
    )]
    NoVenv(String),
    /// The virtual environment could not be filled.
    #[error(
        "MiniStack could not be installed: {0}. Check the network (it comes from PyPI) and run the command again."
    )]
    NotInstalled(String),
    /// It does not start.
    #[error("MiniStack does not start on port {port}: {why} Its log is {log}.")]
    NotStarted {
        /// The port.
        port: u16,
        /// Its last words.
        why: String,
        /// Where its log stands.
        log: String,
    },
    /// The user has no directory to keep anything in.
    #[error(
        "There is no home directory to keep local mode's files in. Set HOME, or XDG_CACHE_HOME and STEPSTACK_LOCAL_DIR."
    )]
    NoHome,
    /// Others of this machine can write into the directory.
    #[error(
        "{0} is shared with other users of this machine. Choose a directory of your own with STEPSTACK_LOCAL_DIR or XDG_CACHE_HOME."
    )]
    Shared(String),
    /// Something else has the port.
    #[error(
        "Port {0} is taken by something that is not our MiniStack. Stop it, or choose another port with STEPSTACK_LOCAL_PORT."
    )]
    PortTaken(u16),
    /// The functions could not be built.
    #[error("The functions could not be built: {0}")]
    NotBuilt(String),
    /// A file of the cache could not be read or written.
    #[error("{what}: {source}")]
    Io {
        /// What was tried, with the path.
        what: String,
        /// The system's answer.
        source: std::io::Error,
    },
    /// A call to the emulator failed.
    #[error("{0}")]
    Call(String),
}

/// Gives an I/O error its subject.
fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> LocalError {
    let what = what.into();
    move |source| LocalError::Io { what, source }
}
