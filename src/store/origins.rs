//! Who is behind the addresses of a transaction, and the cache of names.

use std::collections::HashMap;
use std::net::IpAddr;

use jiff::Timestamp;
use rusqlite::types::{FromSql, FromSqlError, FromSqlResult, ValueRef};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::batch::Address;
use super::{Batch, Store, StoreError};
use crate::origin::{Country, Origin, ReverseDns};
use crate::untrusted::Untrusted;

/// How many addresses are remembered within a transaction. One that is met again after so many
/// others is looked up again, in the cache.
const ADDRESSES: usize = 32 * 1024;

/// The rows of the addresses of a transaction.
#[derive(Default)]
pub(super) struct Origins(HashMap<IpAddr, i64, foldhash::fast::RandomState>);

impl Origins {
    /// The row of `address`, which is added if it is new, to be filled before the commit.
    pub(super) fn id(&mut self, connection: &Connection, address: IpAddr) -> rusqlite::Result<i64> {
        if let Some(id) = self.0.get(&address) {
            return Ok(*id);
        }
        let sql = "INSERT INTO origin (address) VALUES (?)";
        connection.prepare_cached(sql)?.execute([Address(address)])?;
        if self.0.len() >= ADDRESSES {
            self.0.clear();
        }
        let id = connection.last_insert_rowid();
        self.0.insert(address, id);
        Ok(id)
    }
}

impl Batch<'_> {
    /// Some of the addresses whose origin is not known yet, at most `most`, with their rows.
    pub fn without_origin(&self, most: usize) -> Result<Vec<(i64, IpAddr)>, StoreError> {
        let sql = "SELECT id, address FROM origin WHERE reverse_dns IS NULL LIMIT ?";
        let read = || -> rusqlite::Result<Vec<_>> {
            let mut statement = self.transaction.prepare_cached(sql)?;
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let rows = statement
                .query_map([most], |row| Ok((row.get(0)?, row.get::<_, Address>(1)?.0)))?;
            rows.collect()
        };
        read().map_err(|e| self.error(e))
    }

    /// Notes the origin of row `id`.
    pub fn set_origin(&self, id: i64, origin: &Origin) -> Result<(), StoreError> {
        let sql = "UPDATE origin SET hostname = ?, reverse_dns = ?, country = ?, asn = ?, aso = ? \
            WHERE id = ?";
        let Origin { reverse_dns, country, network } = origin;
        let number = network.as_ref().map(|network| network.number);
        let organisation = network.as_ref().map(|network| &network.organisation);
        let organisation = organisation.filter(|text| !text.as_bytes().is_empty());
        let country = country.as_ref().map(Country::code);
        let values =
            params![reverse_dns.name(), reverse_dns.status(), country, number, organisation, id];
        let set = || self.transaction.prepare_cached(sql)?.execute(values);
        set().map(drop).map_err(|e| self.error(e))
    }

    /// What the cache has of `address` that was asked in this time; a clock may have been ahead.
    pub fn name(
        &self,
        address: IpAddr,
        (since, until): (Timestamp, Timestamp),
    ) -> Result<Option<ReverseDns>, StoreError> {
        let sql =
            "SELECT reverse_dns, hostname FROM name WHERE address = ? AND asked BETWEEN ? AND ?";
        let read = || {
            let mut statement = self.transaction.prepare_cached(sql)?;
            statement
                .query_row(
                    params![Address(address), since.as_second(), until.as_second()],
                    reverse_dns,
                )
                .optional()
        };
        read().map_err(|e| self.error(e))
    }

    /// Puts an answer into the cache; `asked` is `None` if nobody could be asked in time.
    pub fn remember_name(
        &self,
        address: IpAddr,
        said: &ReverseDns,
        asked: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        remember(&self.transaction, address, said, asked).map_err(|e| self.error(e))
    }
}

impl Store {
    /// Addresses that nobody could be asked about in time, at most `most`.
    pub fn names_to_ask(&self, most: usize) -> Result<Vec<IpAddr>, StoreError> {
        let sql = "SELECT address FROM name WHERE asked IS NULL LIMIT ?";
        let read = || -> rusqlite::Result<Vec<_>> {
            let most = i64::try_from(most).unwrap_or(i64::MAX);
            let mut statement = self.connection.prepare_cached(sql)?;
            let rows = statement.query_map([most], |row| Ok(row.get::<_, Address>(0)?.0))?;
            rows.collect()
        };
        read().map_err(|e| self.error("read", e))
    }

    /// Puts `answers` into the cache, and keeps the newest `most` of all.
    pub fn remember_names(
        &mut self,
        answers: &[(IpAddr, ReverseDns)],
        (asked, most): (Timestamp, u64),
    ) -> Result<(), StoreError> {
        let size = "SELECT count(*) FROM name";
        let trim = "DELETE FROM name WHERE address IN (SELECT address FROM name \
            ORDER BY asked DESC LIMIT -1 OFFSET ?)";
        let mut write = || -> rusqlite::Result<()> {
            let size: i64 = self.connection.query_row(size, [], |row| row.get(0))?;
            if answers.is_empty() && size.cast_unsigned() <= most {
                return Ok(());
            }
            let transaction = self.connection.transaction()?;
            for (address, said) in answers {
                remember(&transaction, *address, said, Some(asked))?;
            }
            transaction.execute(trim, [most.cast_signed()])?;
            transaction.commit()
        };
        write().map_err(|e| self.error("write", e))
    }
}

fn remember(
    connection: &Connection,
    address: IpAddr,
    said: &ReverseDns,
    asked: Option<Timestamp>,
) -> rusqlite::Result<()> {
    let sql = "INSERT OR REPLACE INTO name VALUES (?, ?, ?, ?)";
    let asked = asked.map(Timestamp::as_second);
    let values = params![Address(address), said.name(), said.status(), asked];
    connection.prepare_cached(sql)?.execute(values).map(drop)
}

fn reverse_dns(row: &Row<'_>) -> rusqlite::Result<ReverseDns> {
    let name = || -> rusqlite::Result<Untrusted> {
        let bytes = row.get_ref(1)?.as_bytes_or_null()?.unwrap_or_default();
        Ok(Untrusted::from(bytes))
    };
    Ok(match row.get_ref(0)?.as_str()? {
        "OK" => ReverseDns::Name(name()?),
        "Errno 1" => ReverseDns::NotFound,
        "Errno 2" => ReverseDns::ServerFailed,
        "Errno 3" => ReverseDns::Refused,
        _ => ReverseDns::NoName,
    })
}

impl FromSql for Address {
    fn column_result(value: ValueRef<'_>) -> FromSqlResult<Self> {
        let bytes = value.as_blob()?;
        let v4 = <[u8; 4]>::try_from(bytes).map(IpAddr::from);
        let address = v4.or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from));
        address.map(Self).map_err(|_| FromSqlError::InvalidType)
    }
}
