use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite};

use super::Shared;

/// Standard input of an exec. Shutting it down says its end; the output goes on.
#[derive(Debug)]
pub(in super::super) struct ExecWriter<S> {
    shared: Arc<Shared<S>>,
}

impl<S> ExecWriter<S> {
    pub(super) fn new(shared: Arc<Shared<S>>) -> Self {
        Self { shared }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for ExecWriter<S> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let Shared { wakers, .. } = &*self.shared;
        wakers.writer.register(cx.waker());
        let both = wakers.both();
        self.shared
            .link()
            .poll_input(&mut Context::from_waker(&both), bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.wakers.writer.register(cx.waker());
        let both = self.shared.wakers.both();
        self.shared
            .link()
            .poll_flush(&mut Context::from_waker(&both))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.shared.wakers.writer.register(cx.waker());
        let both = self.shared.wakers.both();
        self.shared.link().poll_end(&mut Context::from_waker(&both))
    }
}
