"""Announcements through receive, plan, claim and commit: seconds, memory, requests and their price.

The announcements bring no table files, so that what is measured is everything but landing's copies. One payload is
flattened for real; the others are its announcement under other ids.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

import boto3

import counting_proxy
import measure
import s3_server

# US dollars for 1,000 requests of S3 Standard, us-east-1.
PRICE_WRITE, PRICE_READ = 0.005, 0.0004


def announcements(folder, count):
    """(key, body) of `count` payloads, after one that was announced by the program."""
    [template] = list((folder / "announce").rglob("*.json"))
    manifest = json.loads(template.read_text())
    for table in manifest["tables"]:
        table["files"] = []
    day = template.relative_to(folder).parent
    own = manifest["payload_id"]
    for number in range(count):
        payload_id = hashlib.sha256(f"payload {number}".encode()).hexdigest()
        body = json.dumps({**manifest, "payload_id": payload_id})
        yield str(day / template.name.replace(own, payload_id)), body


def announce_one(sluice, lake, payload):
    subprocess.run([sluice, "--lake", lake, "land", "--announce-only", payload], check=True, stdout=subprocess.DEVNULL)


def ingest(sluice, lake, environment):
    """(seconds, peak MiB)."""
    os.environ.update(environment)
    return measure.run([sluice, "--lake", lake, "ingest", "run", "--until-idle"], None)


def rows(sluice, lake):
    query = ["sql", "SELECT count(*) AS n, count(DISTINCT payload_id) AS ids FROM bronze.payloads", "--format", "json"]
    out = subprocess.run([sluice, "--lake", lake, *query], check=True, stdout=subprocess.PIPE).stdout
    return json.loads(out)[0]


def local(sluice, work, payload, count):
    lake = work / "local"
    subprocess.run([sluice, "init", lake], check=True, stdout=subprocess.DEVNULL)
    announce_one(sluice, lake, payload)
    for key, body in announcements(lake, count):
        (lake / key).write_text(body)
    seconds, peak = ingest(sluice, str(lake), {})
    found = rows(sluice, lake)
    assert found == {"n": count + 1, "ids": count + 1}, found
    return {"where": "a folder", "payloads": count, "seconds": seconds, "per_second": count / seconds, "peak_mib": peak}


def bucket(sluice, work, payload, count):
    with s3_server.start(work / "server") as server:
        client = boto3.client("s3", endpoint_url=server.uri, region_name="us-east-1",
                              aws_access_key_id="test", aws_secret_access_key="test")
        client.create_bucket(Bucket="lakes")
        began = time.perf_counter()
        for number in range(500):
            client.put_object(Bucket="lakes", Key=f"rate/{number}", Body=b"x" * 300)
        put_rate = 500 / (time.perf_counter() - began)
        with counting_proxy.start(server.port) as proxy:
            environment = {"AWS_ENDPOINT_URL": proxy.uri, "AWS_REGION": "us-east-1", "AWS_ACCESS_KEY_ID": "test",
                           "AWS_SECRET_ACCESS_KEY": "test", "AWS_EC2_METADATA_DISABLED": "true",
                           "SLUICE_WORK": str(work / "machine")}
            os.environ.update(environment)
            lake = "s3://lakes/one"
            subprocess.run([sluice, "init", lake, "--catalog", "rest", "--uri", f"{server.uri}/iceberg",
                            "--warehouse", "000000000000"], check=True, stdout=subprocess.DEVNULL)
            announce_one(sluice, lake, payload)
            template = work / "template"
            for item in client.list_objects_v2(Bucket="lakes", Prefix="one/announce/")["Contents"]:
                file = template / item["Key"].removeprefix("one/")
                file.parent.mkdir(parents=True)
                client.download_file("lakes", item["Key"], str(file))
            for key, body in announcements(template, count):
                client.put_object(Bucket="lakes", Key=f"one/{key}", Body=body.encode())
            proxy.reset()
            seconds, peak = ingest(sluice, lake, environment)
            counted = proxy.counts()
            found = rows(sluice, lake)
    assert found == {"n": count + 1, "ids": count + 1}, found
    writes = sum(counted.get(method, 0) for method in ("PUT", "POST", "LIST"))
    reads = sum(counted.get(method, 0) for method in ("GET", "HEAD"))
    return {"where": "a bucket", "payloads": count, "seconds": seconds, "per_second": count / seconds,
            "peak_mib": peak, "puts_per_second_of_the_server": put_rate, "requests": counted,
            "requests_per_payload": round((writes + reads) / count, 2),
            "dollars_per_million": round((writes * PRICE_WRITE + reads * PRICE_READ) / 1000 / count * 1e6, 2)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sluice", required=True)
    parser.add_argument("--payload", required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--count-in-bucket", type=int, required=True)
    parser.add_argument("--format", choices=["table", "json"], default="table")
    arguments = parser.parse_args()
    sluice = str(pathlib.Path(arguments.sluice).resolve())
    with tempfile.TemporaryDirectory() as folder:
        work = pathlib.Path(folder)
        found = [local(sluice, work, arguments.payload, arguments.count // 10)]
        shutil.rmtree(work / "local")
        found.append(local(sluice, work, arguments.payload, arguments.count))
        found.append(bucket(sluice, work, arguments.payload, arguments.count_in_bucket))
    if arguments.format == "json":
        json.dump(found, sys.stdout, indent=2)
        return
    print("\n| lake in | payloads | s | payloads/s | peak RSS MiB | requests per payload | $ per million payloads |")
    print("|---|---|---|---|---|---|---|")
    for run in found:
        print(f"| {run['where']} | {run['payloads']} | {run['seconds']:.1f} | {run['per_second']:.0f} | "
              f"{run['peak_mib']:.0f} | {run.get('requests_per_payload', '-')} | {run.get('dollars_per_million', '-')} |")
    print(f"\nThe bucket's server alone: {found[-1]['puts_per_second_of_the_server']:.0f} puts/s from one client. "
          f"Requests: {found[-1]['requests']}.")


if __name__ == "__main__":
    main()
