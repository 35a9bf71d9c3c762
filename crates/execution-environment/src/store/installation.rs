//! The one row of `installation`.

use session_identity::InstallId;
use sqlx::PgConnection;

use crate::StoreError;

/// Loads the id of this database, which its environments carry as a label.
pub async fn install_id(conn: &mut PgConnection) -> Result<InstallId, StoreError> {
    let id =
        sqlx::query_scalar!(r#"SELECT install_id AS "install_id: InstallId" FROM installation"#)
            .fetch_one(conn)
            .await?;
    Ok(id)
}
