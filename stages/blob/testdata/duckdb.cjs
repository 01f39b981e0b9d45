// Prints what a query of DuckDB returns, a JSON object in each line.
//
//   node duckdb.cjs DIRECTORY-OF-DUCKDB QUERY
const { createRequire } = require('node:module');
const path = require('node:path');

const [directory, query] = process.argv.slice(2);
const { DuckDBInstance } = createRequire(path.resolve(directory, 'package.json'))('@duckdb/node-api');

(async () => {
  const connection = await (await DuckDBInstance.create(':memory:')).connect();
  const result = await connection.runAndReadAll(query);
  for (const row of result.getRowObjectsJson()) {
    console.log(JSON.stringify(row));
  }
})().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
