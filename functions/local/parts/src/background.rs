//! Work on a thread and a runtime of its own, because a test may block its runtime or pause its clock, and neither
//! AWS nor a network would.

use std::{fmt, io, thread::JoinHandle};

use tokio::{
    runtime::{Builder, Handle},
    sync::oneshot,
};

/// Work that goes on until this is dropped, which waits for the thread to end. Tasks it has spawned end with it.
pub(crate) struct Background {
    runtime: Handle,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs `work` on a thread called `name`.
    pub(crate) fn run(name: &str, work: impl Future<Output = ()> + Send + 'static) -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel::<()>();
        let until_stopped = move || {
            runtime.block_on(async {
                tokio::select! {
                    _ = stopped => (),
                    () = work => (),
                }
            });
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(until_stopped)?;
        Ok(Self { runtime: handle, stop: Some(stop), thread: Some(thread) })
    }

    /// The runtime, for tasks beside the work.
    pub(crate) fn runtime(&self) -> &Handle {
        &self.runtime
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for Background {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Background")
    }
}
