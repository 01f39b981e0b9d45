-- Run once, in the new database, by its owner. Passwords come from the Secret.
\set ingest `cat /run/secrets/postgres/ingest-password`
\set validate `cat /run/secrets/postgres/validate-password`

-- ingest makes its schema and tables when it first connects, and owns them.
CREATE ROLE ingest LOGIN PASSWORD :'ingest';
-- validate reads what ingest makes, and nothing else.
CREATE ROLE validate LOGIN PASSWORD :'validate';

SELECT format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database()) \gexec
SELECT format('GRANT CONNECT, CREATE ON DATABASE %I TO ingest', current_database()) \gexec
SELECT format('GRANT CONNECT ON DATABASE %I TO validate', current_database()) \gexec
ALTER DEFAULT PRIVILEGES FOR ROLE ingest GRANT USAGE ON SCHEMAS TO validate;
ALTER DEFAULT PRIVILEGES FOR ROLE ingest GRANT SELECT ON TABLES TO validate;
