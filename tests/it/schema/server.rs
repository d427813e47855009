//! What a PostgreSQL server says of its schema.

use std::collections::BTreeSet;

use tokio_postgres::{Client, NoTls};

use super::embedded::{Check, Index};
use super::{Sentences, is_shared};

pub struct Server(Client);

/// Each with its table first. Defaults and keys are told as the embedded engine tells them.
const SENTENCES: &str = "
    with tables as (
        select oid, relname::text as name from pg_class
        where relkind = 'r' and relnamespace = 'public'::regnamespace
    ), keys as (
        select k.contype, t.name, k.confrelid::regclass::text as other, k.confdeltype, k.confupdtype,
            (select string_agg(a.attname, ', ' order by n) from unnest(k.conkey) with ordinality as c (num, n)
                join pg_attribute a on a.attrelid = k.conrelid and a.attnum = c.num) as columns,
            (select string_agg(a.attname, ', ' order by n) from unnest(k.confkey) with ordinality as c (num, n)
                join pg_attribute a on a.attrelid = k.confrelid and a.attnum = c.num) as others
        from pg_constraint k join tables t on t.oid = k.conrelid
    )
    select t.name, t.name || '.' || a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
        || case a.attgenerated when '' then '' else ' generated' end
        || case when a.attnotnull then ' not null' else ' null' end
        || case when a.attgenerated = '' and d.adbin is not null
            then ' default ' || regexp_replace(pg_get_expr(d.adbin, d.adrelid), '::\\w+$', '') else '' end
    from tables t join pg_attribute a on a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
    left join pg_attrdef d on d.adrelid = t.oid and d.adnum = a.attnum
    union all
    select name, name || ' primary key (' || columns || ')' from keys where contype = 'p'
    union all
    select name, name || ' unique (' || columns || ')' from keys where contype = 'u'
    union all
    select name, name || '.' || columns || ' -> ' || other || '.' || others
        || case confdeltype when 'a' then '' when 'c' then ' on delete cascade' else ' on delete ' || confdeltype::text end
        || case confupdtype when 'a' then '' else ' on update ' || confupdtype::text end
    from keys where contype = 'f'
    union all
    select name, name || ' has triggers' from tables t
    where exists (select 1 from pg_trigger g where g.tgrelid = t.oid and not g.tgisinternal
        -- For programs from before 0020, while they are replaced.
        and g.tgname <> 'ledger_lines_order')";

/// The indexes that no constraint brought with it.
const INDEXES: &str = "
    select c.relname::text, t.relname::text, pg_get_indexdef(c.oid) from pg_index i
    join pg_class c on c.oid = i.indexrelid join pg_class t on t.oid = i.indrelid
    where c.relnamespace = 'public'::regnamespace
        and not exists (select 1 from pg_constraint k where k.conindid = c.oid and k.contype in ('p', 'u'))";

impl Server {
    pub async fn at(url: &str) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
        tokio::spawn(connection);
        Self(client)
    }

    /// What is wrong with a statement.
    pub async fn prepare(&self, sql: &str) -> Result<(), String> {
        let prepared = self.0.prepare(sql).await;
        prepared
            .map(drop)
            .map_err(|error| error.as_db_error().map_or(error.to_string(), |told| told.to_string()))
    }

    pub async fn texts(&self, sql: &str) -> Vec<String> {
        self.0.query(sql, &[]).await.unwrap().iter().map(|row| row.get(0)).collect()
    }

    pub async fn sentences(&self) -> Sentences {
        let rows = self.0.query(SENTENCES, &[]).await.unwrap();
        rows.iter().filter(|row| is_shared(row.get(0))).map(|row| row.get(1)).collect()
    }

    pub async fn differing_checks(&mut self, expected: &[Check]) -> Vec<String> {
        let spelled = "select t.relname::text, pg_get_constraintdef(k.oid) from pg_constraint k
             join pg_class t on t.oid = k.conrelid
             where k.contype = 'c' and t.relnamespace = 'public'::regnamespace and (k.conname like 'probe^_%' escape '^') = $1";
        let probing = self.0.transaction().await.unwrap();
        for (nth, Check { table, condition }) in expected.iter().enumerate() {
            let probe = format!("alter table {table} add constraint probe_{nth} check ({condition})");
            probing.batch_execute(&probe).await.unwrap();
        }
        let mut sides: Vec<Sentences> = Vec::new();
        for is_probe in [true, false] {
            let rows = probing.query(spelled, &[&is_probe]).await.unwrap();
            let told = |row: &tokio_postgres::Row| {
                format!("{} {}", row.get::<_, String>(0), row.get::<_, String>(1))
            };
            sides.push(rows.iter().filter(|row| is_shared(row.get(0))).map(told).collect());
        }
        probing.rollback().await.unwrap();
        assert_eq!(sides[0].len(), expected.len(), "a table checks something twice");
        sides[0]
            .symmetric_difference(&sides[1])
            .map(|check| format!("checked by one engine: {check}"))
            .collect()
    }

    pub async fn differing_indexes(&mut self, expected: &[Index]) -> Vec<String> {
        let probing = self.0.transaction().await.unwrap();
        for Index { name, sql } in expected {
            let probe = sql.replacen(name.as_str(), &format!("probe_{name}"), 1);
            probing.batch_execute(&probe).await.unwrap();
        }
        let rows = probing.query(INDEXES, &[]).await.unwrap();
        probing.rollback().await.unwrap();
        let shared = rows.iter().filter(|row| is_shared(row.get(1)));
        let (probes, own): (Vec<_>, Vec<_>) = shared
            .map(|row| (row.get::<_, String>(0), row.get::<_, String>(2)))
            .partition(|(name, _)| name.starts_with("probe_"));
        let probes: BTreeSet<String> =
            probes.into_iter().map(|(_, told)| told.replacen("INDEX probe_", "INDEX ", 1)).collect();
        let own: BTreeSet<String> = own.into_iter().map(|(_, told)| told).collect();
        probes.symmetric_difference(&own).map(|index| format!("an index of one engine: {index}")).collect()
    }
}
