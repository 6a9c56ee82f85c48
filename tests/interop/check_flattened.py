"""What `sluice flatten` wrote is what a lake holds: every table, every row, by DuckDB."""

import argparse
import glob
import json
import os

import readers
import verdict


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lake", required=True)
    parser.add_argument("--folder", required=True)
    arguments = parser.parse_args()
    result = verdict.Verdict()
    duck = readers.Duck()
    manifests = [json.load(open(path)) for path in glob.glob(os.path.join(arguments.folder, "*.json"))]
    result.equal("payload manifests", len(manifests) > 0, True)
    for table in readers.tables(arguments.lake):
        name = ".".join(table)
        if table[0] == "gold" or name == "bronze.payloads":
            continue
        lake = duck.scan(arguments.lake, name)
        pattern = os.path.join(arguments.folder, name, "*.parquet")
        landed = duck.connection.execute(f"SELECT count(*) FROM {lake}").fetchone()[0]
        if landed == 0 or not glob.glob(pattern):
            result.equal(f"rows of {name}, of which there are no files", landed, 0)
            continue
        files = f"read_parquet('{pattern}', union_by_name = true)"
        columns = [row[0] for row in duck.connection.execute(f"DESCRIBE SELECT * FROM {lake}").fetchall()]
        shown = ", ".join(f'"{column}"' for column in columns)
        for here, there in ((files, lake), (lake, files)):
            query = f"SELECT count(*) FROM (SELECT {shown} FROM {here} EXCEPT ALL SELECT {shown} FROM {there})"
            result.equal(f"rows of {name} on one side only", duck.connection.execute(query).fetchone()[0], 0)
        rows = duck.connection.execute(f"SELECT count(*) FROM {files}").fetchone()[0]
        result.equal(f"rows of {name}", rows, landed)
    result.print()


if __name__ == "__main__":
    main()
