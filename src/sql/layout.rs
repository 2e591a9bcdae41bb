//! The table that rows go to: its columns, and which field of the CSV each is filled from.

/// A field of the CSV; the number is its place in a row.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Field {
    /// The mail server.
    Server,
    /// When, in its local time.
    Date,
    /// The client's address.
    Ip,
    /// The account that was tried.
    User,
    /// The name of the address.
    Hostname,
    /// How the name was found.
    ReverseDnsStatus,
    /// Two letters.
    CountryCode,
    /// The number of the network.
    Asn,
    /// Who runs the network.
    Aso,
}

/// The fields in their order, with their names in the header.
pub const FIELDS: [(Field, &str); 9] = [
    (Field::Server, "server"),
    (Field::Date, "date"),
    (Field::Ip, "ip"),
    (Field::User, "user"),
    (Field::Hostname, "hostname"),
    (Field::ReverseDnsStatus, "reverse_dns_status"),
    (Field::CountryCode, "country_code"),
    (Field::Asn, "asn"),
    (Field::Aso, "aso"),
];

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// A local date and time.
    Time,
    /// An IPv4 or IPv6 address.
    Address,
    /// A whole number.
    Integer,
    /// Text.
    Text {
        /// So many characters at most; `None` means any number.
        most: Option<u32>,
    },
}

/// A column that a field of the CSV goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Where it comes from.
    pub field: Field,
    /// What it holds.
    pub kind: Type,
    /// Whether it is declared NOT NULL: what is missing is then written as an empty text, as 0 or as
    /// the first second of 1970.
    pub required: bool,
}

/// A table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Layout {
    /// `table` or `schema.table`.
    pub table: String,
    /// The column that the database numbers by itself.
    pub id: Option<String>,
    /// The others.
    pub columns: Vec<Column>,
}

impl Layout {
    /// The usual columns.
    pub fn standard(table: &str) -> Self {
        let text = Type::Text { most: None };
        let columns = [
            ("server", Field::Server, text),
            ("event_time", Field::Date, Type::Time),
            ("ip", Field::Ip, Type::Address),
            ("username", Field::User, text),
            ("hostname", Field::Hostname, text),
            ("reverse_dns_status", Field::ReverseDnsStatus, text),
            ("country_code", Field::CountryCode, text),
            ("asn_int", Field::Asn, Type::Integer),
            ("asn_varchar", Field::Aso, text),
        ];
        let column = |(name, field, kind): (&str, Field, Type)| Column {
            name: name.to_owned(),
            field,
            kind,
            required: false,
        };
        Self {
            table: table.to_owned(),
            id: Some("id".to_owned()),
            columns: columns.map(column).into(),
        }
    }

    /// The column that `field` goes to, if there is one; the first of several.
    pub fn column(&self, field: Field) -> Option<&Column> {
        self.columns.iter().find(|column| column.field == field)
    }
}
