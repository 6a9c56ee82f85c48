//! The embedded catalog's database: one SQLite file in the layout of Iceberg's JDBC catalog (version 1), which PyIceberg, Trino
//! and Spark open directly. A commit is one compare-and-swap of a table's `metadata_location`.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Transaction, TransactionBehavior, params};
use sluice_api::{Layer, TableName};
use sluice_durable::Step;

use crate::Error;
use crate::error::is_busy;

/// The catalog's name in its own tables, and the one that foreign readers must use.
pub const CATALOG_NAME: &str = "sluice";

const BUSY_TIMEOUT: Duration = Duration::from_secs(30);

const LAYOUT: &str = "
CREATE TABLE IF NOT EXISTS iceberg_tables (
    catalog_name VARCHAR(255) NOT NULL,
    table_namespace VARCHAR(255) NOT NULL,
    table_name VARCHAR(255) NOT NULL,
    metadata_location VARCHAR(1000),
    previous_metadata_location VARCHAR(1000),
    iceberg_type VARCHAR(5),
    PRIMARY KEY (catalog_name, table_namespace, table_name)
);
CREATE TABLE IF NOT EXISTS iceberg_namespace_properties (
    catalog_name VARCHAR(255) NOT NULL,
    namespace VARCHAR(255) NOT NULL,
    property_key VARCHAR(255) NOT NULL,
    property_value VARCHAR(1000),
    PRIMARY KEY (catalog_name, namespace, property_key)
);";

/// What a compare-and-swap came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Swap {
    /// The table now has our metadata.
    Done,
    /// Someone else was ahead; nothing changed.
    Conflict,
}

/// An open database. Calls are short and synchronous; the lock is never held across an await.
#[derive(Debug)]
pub(crate) struct Database {
    connection: Mutex<Connection>,
}

impl Database {
    /// Opens the database, which must exist.
    pub(crate) fn open(path: &Path) -> Result<Self, Error> {
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection = Connection::open_with_flags(path, flags).map_err(Error::catalog("open the database"))?;
        Self::configure(connection)
    }

    /// Opens the database, made if need be, with the namespaces of all layers.
    pub(crate) fn create(path: &Path) -> Result<Self, Error> {
        let connection = Connection::open(path).map_err(Error::catalog("create the database"))?;
        let catalog = Self::configure(connection)?;
        catalog.write("create the layout", |transaction| {
            transaction.execute_batch(LAYOUT)?;
            for layer in [Layer::Bronze, Layer::Silver, Layer::Gold] {
                transaction.execute(
                    "INSERT OR IGNORE INTO iceberg_namespace_properties VALUES (?1, ?2, 'exists', 'true')",
                    params![CATALOG_NAME, layer.as_str()],
                )?;
            }
            Ok(())
        })?;
        Ok(catalog)
    }

    /// A rollback journal, not WAL: the catalog stays one file that can be copied and opened read-only by others.
    fn configure(connection: Connection) -> Result<Self, Error> {
        connection.busy_timeout(BUSY_TIMEOUT).map_err(Error::catalog("set the busy timeout"))?;
        // EXTRA also syncs the folder after the journal is gone, so that a commit outlives a power cut.
        connection.pragma_update(None, "synchronous", "EXTRA").map_err(Error::catalog("set durability"))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        // A panic elsewhere leaves the connection usable: SQLite rolls back what was not committed.
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write<T>(&self, action: &str, body: impl FnOnce(&Transaction<'_>) -> rusqlite::Result<T>) -> Result<T, Error> {
        let mut connection = self.connection();
        let run = || {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let value = body(&transaction)?;
            transaction.commit()?;
            Ok(value)
        };
        run().map_err(Error::catalog(action))
    }

    /// All tables of the lake's layers, sorted.
    pub(crate) fn tables(&self) -> Result<Vec<TableName>, Error> {
        let list = |connection: &Connection| -> rusqlite::Result<Vec<String>> {
            let mut statement = connection.prepare_cached(
                "SELECT table_namespace || '.' || table_name FROM iceberg_tables
                 WHERE catalog_name = ?1 AND (iceberg_type = 'TABLE' OR iceberg_type IS NULL)",
            )?;
            let names = statement.query_map([CATALOG_NAME], |row| row.get(0))?;
            names.collect()
        };
        let names = list(&self.connection()).map_err(Error::catalog("list tables"))?;
        let mut tables: Vec<_> = names.iter().filter_map(|name| TableName::parse(name)).collect();
        tables.sort();
        Ok(tables)
    }

    /// Where the table's current metadata is recorded to lie.
    pub(crate) fn location(&self, table: &TableName) -> Result<Option<String>, Error> {
        self.read_location(table).map_err(Error::catalog(format!("look up `{table}`")))
    }

    fn read_location(&self, table: &TableName) -> rusqlite::Result<Option<String>> {
        let connection = self.connection();
        let mut statement = connection.prepare_cached(
            "SELECT metadata_location FROM iceberg_tables
             WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3",
        )?;
        let key = params![CATALOG_NAME, table.layer.as_str(), table.name];
        Ok(statement.query_row(key, |row| row.get::<_, Option<String>>(0)).optional()?.flatten())
    }

    /// Registers a table; `Conflict` where one of this name stands already.
    pub(crate) fn insert(&self, table: &TableName, location: &str) -> Result<Swap, Error> {
        self.swap_with(table, location, |connection| {
            connection.execute(
                "INSERT OR IGNORE INTO iceberg_tables VALUES (?1, ?2, ?3, ?4, NULL, 'TABLE')",
                params![CATALOG_NAME, table.layer.as_str(), table.name, location],
            )
        })
    }

    /// Replaces the table's metadata if it still is `expected`.
    pub(crate) fn swap(&self, table: &TableName, expected: &str, location: &str) -> Result<Swap, Error> {
        self.swap_with(table, location, |connection| {
            connection.execute(
                "UPDATE iceberg_tables SET metadata_location = ?4, previous_metadata_location = ?5
                 WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3 AND metadata_location = ?5",
                params![CATALOG_NAME, table.layer.as_str(), table.name, location, expected],
            )
        })
    }

    fn swap_with(
        &self,
        table: &TableName,
        location: &str,
        change: impl FnOnce(&Connection) -> rusqlite::Result<usize>,
    ) -> Result<Swap, Error> {
        let changed = Step::CatalogSwap.run(|| change(&self.connection()));
        match changed {
            Ok(0) => Ok(Swap::Conflict),
            Ok(_) => Ok(Swap::Done),
            // SQLite promises that a busy database was not changed.
            Err(source) if is_busy(&source) => Err(Error::catalog(format!("commit to `{table}`"))(source)),
            // Anything else may have happened before or after the change: read, never assume.
            Err(source) => match self.read_location(table) {
                Ok(Some(found)) if found == location => Ok(Swap::Done),
                Ok(_) => Err(Error::catalog(format!("commit to `{table}`"))(source)),
                Err(_) => Err(Error::UnknownOutcome { table: table.clone(), source: Box::new(source) }),
            },
        }
    }

    /// Replaces recorded locations of many tables at once, each only if it still is the expected one.
    pub(crate) fn swap_all(&self, swaps: &[(TableName, String, String)]) -> Result<Swap, Error> {
        Step::CatalogSwap.run(|| {
            let mut connection = self.connection();
            let mut run = || -> rusqlite::Result<Swap> {
                let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
                for (table, expected, location) in swaps {
                    let changed = transaction.execute(
                        "UPDATE iceberg_tables SET metadata_location = ?4, previous_metadata_location = NULL
                         WHERE catalog_name = ?1 AND table_namespace = ?2 AND table_name = ?3
                         AND metadata_location = ?5",
                        params![CATALOG_NAME, table.layer.as_str(), table.name, location, expected],
                    )?;
                    if changed == 0 {
                        return Ok(Swap::Conflict);
                    }
                }
                transaction.commit()?;
                Ok(Swap::Done)
            };
            run().map_err(Error::catalog("record new locations"))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_of_two_swaps_wins() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("catalog.db");
        let one = Database::create(&path).unwrap();
        let other = Database::open(&path).unwrap();
        let table = TableName::new(Layer::Silver, "t");
        assert_eq!(one.insert(&table, "a").unwrap(), Swap::Done);
        assert_eq!(other.insert(&table, "b").unwrap(), Swap::Conflict);
        assert_eq!(other.swap(&table, "a", "c").unwrap(), Swap::Done);
        assert_eq!(one.swap(&table, "a", "d").unwrap(), Swap::Conflict);
        assert_eq!(one.location(&table).unwrap().as_deref(), Some("c"));
        assert_eq!(one.tables().unwrap(), vec![table]);
    }
}
