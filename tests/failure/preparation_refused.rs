//! What keeps an environment from ever being ready.

use system_tests::{TestSystem, stories};

#[tokio::test]
async fn an_image_or_a_command_that_is_not_there_is_named() {
    stories::preparation_refused::tell(&TestSystem::start().await).await;
}
