"""Rows of any reader in one form, so that they can be compared: by columns' types, not by what a reader makes of them."""

import math
import struct
from collections import Counter
from datetime import date, datetime, time, timezone
from decimal import Decimal

import pyarrow as pa


def plain(value):
    """A value of an Arrow table in a form that all readers agree on. NaN is null: JSON has no form of it."""
    if isinstance(value, float):
        return None if math.isnan(value) else value
    if isinstance(value, (bytes, bytearray)):
        return bytes(value).hex()
    if isinstance(value, dict):
        if set(value) == {"key", "value"} and isinstance(value["key"], list):
            value = dict(zip(value["key"], value["value"]))
        items = ((str(key), plain(item)) for key, item in value.items())
        return tuple(sorted((key, item) for key, item in items if item is not None))
    if isinstance(value, list):
        if value and all(isinstance(item, dict) and set(item) == {"key", "value"} for item in value):
            return plain({item["key"]: item["value"] for item in value})
        if value and isinstance(value[0], tuple):
            return plain(dict(value))
        return tuple(plain(item) for item in value)
    if isinstance(value, datetime):
        return value.astimezone(timezone.utc).replace(tzinfo=None) if value.tzinfo else value
    if isinstance(value, Decimal):
        return value.normalize()
    if hasattr(value, "hex") and hasattr(value, "bytes"):
        return value.bytes.hex()
    return value


def of_arrow(table):
    """How often each row stands in an Arrow table."""
    columns = [[plain(value) for value in table[name].to_pylist()] for name in table.column_names]
    return Counter(zip(*columns)) if columns else Counter()


def of_json(rows, schema):
    """The same for rows of JSON, which are of this Arrow schema."""
    return Counter(tuple(parsed(row.get(field.name), field.type) for field in schema) for row in rows)


def parsed(value, kind):
    """A value of JSON as the type says it is meant."""
    types = pa.types
    if value is None:
        return None
    if types.is_float32(kind):
        return struct.unpack("f", struct.pack("f", value))[0]
    if types.is_floating(kind):
        return float(value)
    if types.is_decimal(kind):
        return Decimal(str(value)).normalize()
    if types.is_timestamp(kind):
        moment = datetime.fromisoformat(value.replace("Z", "+00:00"))
        return moment.astimezone(timezone.utc).replace(tzinfo=None) if moment.tzinfo else moment
    if types.is_date(kind):
        return date.fromisoformat(value)
    if types.is_time(kind):
        return time.fromisoformat(value)
    if types.is_struct(kind):
        fields = [kind.field(index) for index in range(kind.num_fields)]
        items = ((field.name, parsed(value.get(field.name), field.type)) for field in fields)
        return tuple(sorted((name, item) for name, item in items if item is not None))
    if types.is_list(kind) or types.is_large_list(kind):
        return tuple(parsed(item, kind.value_type) for item in value)
    if types.is_map(kind):
        items = ((key, parsed(item, kind.item_type)) for key, item in value.items())
        return tuple(sorted((key, item) for key, item in items if item is not None))
    return value


def difference(some, others):
    """A row that one has and the other lacks, for a person to look at; none where both are equal."""
    for only, whose in ((some - others, "found"), (others - some, "expected")):
        if only:
            return f"only {whose}: {next(iter(only))}"
    return None
