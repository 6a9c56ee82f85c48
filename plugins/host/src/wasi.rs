//! A virtual WASI: enough of it for a language's runtime to start, and nothing of the world. The clocks stand still,
//! the random numbers are the same in every instance, there are no arguments, variables, folders or sockets; what is
//! written to standard output and error counts as log. Anything else is there by name only and traps when it is
//! called. Nothing here blocks, so no guest can hold a thread by sleeping.

use wasmtime::component::{Component, Linker, LinkerInstance, Resource, ResourceType};

use crate::guest::Guest;
use types::{Datetime, StreamError};

/// 2000-01-01T00:00:00 UTC, always.
const NOW: Datetime = Datetime { seconds: 946_684_800, nanoseconds: 0 };
/// Bytes that a guest may write at once.
const WRITE_BYTES_MAX: u64 = 4096;
/// Bytes of randomness given at once.
const RANDOM_BYTES_MAX: u64 = 1 << 16;

/// Host resources of which only the type matters.
struct IoError;
struct Pollable;
struct InputStream;
struct OutputStream;
struct TerminalInput;
struct TerminalOutput;
struct Descriptor;

type Defined = wasmtime::Result<()>;

/// Defines what the component imports of WASI 0.2, under the very version that it names.
pub(crate) fn define(linker: &mut Linker<Guest>, component: &Component) -> Defined {
    let engine = linker.engine().clone();
    let names: Vec<String> = component.component_type().imports(&engine).map(|(name, _)| name.to_owned()).collect();
    for name in names {
        let Some((interface, version)) = name.split_once('@') else { continue };
        if !version.starts_with("0.2.") || !interface.starts_with("wasi:") {
            continue;
        }
        let mut instance = linker.instance(&name)?;
        resources(&mut instance)?;
        match interface {
            "wasi:cli/environment" => environment(&mut instance)?,
            "wasi:cli/exit" => exit(&mut instance)?,
            "wasi:cli/stdin" | "wasi:cli/stdout" | "wasi:cli/stderr" => standard(&mut instance, interface)?,
            "wasi:io/error" => error(&mut instance)?,
            "wasi:io/poll" => poll(&mut instance)?,
            "wasi:io/streams" => streams(&mut instance)?,
            "wasi:clocks/monotonic-clock" => monotonic_clock(&mut instance)?,
            "wasi:clocks/wall-clock" => wall_clock(&mut instance)?,
            "wasi:filesystem/preopens" => preopens(&mut instance)?,
            _ if interface.starts_with("wasi:random/") => random(&mut instance)?,
            _ if interface.starts_with("wasi:cli/terminal-") => terminal(&mut instance, interface)?,
            _ => {}
        }
    }
    linker.define_unknown_imports_as_traps(component)
}

/// An interface names the resources that it uses of others, so that each is defined everywhere; none holds anything.
fn resources(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    for (name, resource) in [
        ("error", ResourceType::host::<IoError>()),
        ("pollable", ResourceType::host::<Pollable>()),
        ("input-stream", ResourceType::host::<InputStream>()),
        ("output-stream", ResourceType::host::<OutputStream>()),
        ("terminal-input", ResourceType::host::<TerminalInput>()),
        ("terminal-output", ResourceType::host::<TerminalOutput>()),
        ("descriptor", ResourceType::host::<Descriptor>()),
    ] {
        instance.resource(name, resource, |_, _| Ok(()))?;
    }
    Ok(())
}

fn environment(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("get-environment", |_, (): ()| Ok((Vec::<(String, String)>::new(),)))?;
    instance.func_wrap("get-arguments", |_, (): ()| Ok((Vec::<String>::new(),)))?;
    instance.func_wrap("initial-cwd", |_, (): ()| Ok((None::<String>,)))
}

fn exit(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("exit", |_, (_status,): (Result<(), ()>,)| -> Defined {
        Err(wasmtime::Error::msg("the guest asked to exit"))
    })
}

fn standard(instance: &mut LinkerInstance<'_, Guest>, interface: &str) -> Defined {
    match interface {
        "wasi:cli/stdin" => instance.func_wrap("get-stdin", |_, (): ()| Ok((Resource::<InputStream>::new_own(0),))),
        "wasi:cli/stdout" => instance.func_wrap("get-stdout", |_, (): ()| Ok((Resource::<OutputStream>::new_own(1),))),
        _ => instance.func_wrap("get-stderr", |_, (): ()| Ok((Resource::<OutputStream>::new_own(2),))),
    }
}

fn terminal(instance: &mut LinkerInstance<'_, Guest>, interface: &str) -> Defined {
    match interface {
        "wasi:cli/terminal-stdin" => {
            instance.func_wrap("get-terminal-stdin", |_, (): ()| Ok((None::<Resource<TerminalInput>>,)))
        }
        "wasi:cli/terminal-stdout" => {
            instance.func_wrap("get-terminal-stdout", |_, (): ()| Ok((None::<Resource<TerminalOutput>>,)))
        }
        "wasi:cli/terminal-stderr" => {
            instance.func_wrap("get-terminal-stderr", |_, (): ()| Ok((None::<Resource<TerminalOutput>>,)))
        }
        _ => Ok(()),
    }
}

fn error(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("[method]error.to-debug-string", |_, (_error,): (Resource<IoError>,)| {
        Ok(("there is no such thing in this sandbox".to_owned(),))
    })
}

/// Everything is ready at once: to wait is to go on.
fn poll(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("[method]pollable.ready", |_, (_pollable,): (Resource<Pollable>,)| Ok((true,)))?;
    instance.func_wrap("[method]pollable.block", |_, (_pollable,): (Resource<Pollable>,)| Ok(()))?;
    instance.func_wrap("poll", |_, (pollables,): (Vec<Resource<Pollable>>,)| {
        let count = u32::try_from(pollables.len())?;
        Ok(((0..count).collect::<Vec<u32>>(),))
    })
}

fn streams(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    for name in ["[method]input-stream.read", "[method]input-stream.blocking-read"] {
        instance.func_wrap(name, |_, (_stream, _length): (Resource<InputStream>, u64)| {
            Ok((Err::<Vec<u8>, StreamError>(StreamError::Closed),))
        })?;
    }
    instance.func_wrap("[method]input-stream.subscribe", |_, (_stream,): (Resource<InputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    instance.func_wrap("[method]output-stream.subscribe", |_, (_stream,): (Resource<OutputStream>,)| {
        Ok((Resource::<Pollable>::new_own(0),))
    })?;
    instance.func_wrap("[method]output-stream.check-write", |_, (_stream,): (Resource<OutputStream>,)| {
        Ok((Ok::<u64, StreamError>(WRITE_BYTES_MAX),))
    })?;
    for name in ["[method]output-stream.write", "[method]output-stream.blocking-write-and-flush"] {
        instance.func_wrap(
            name,
            |mut store: wasmtime::StoreContextMut<'_, Guest>, (_stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                store.data_mut().log.output(&bytes)?;
                Ok((Ok::<(), StreamError>(()),))
            },
        )?;
    }
    for name in ["[method]output-stream.flush", "[method]output-stream.blocking-flush"] {
        instance.func_wrap(name, |_, (_stream,): (Resource<OutputStream>,)| Ok((Ok::<(), StreamError>(()),)))?;
    }
    Ok(())
}

fn monotonic_clock(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("now", |_, (): ()| Ok((0_u64,)))?;
    instance.func_wrap("resolution", |_, (): ()| Ok((1_u64,)))?;
    for name in ["subscribe-instant", "subscribe-duration"] {
        instance.func_wrap(name, |_, (_when,): (u64,)| Ok((Resource::<Pollable>::new_own(0),)))?;
    }
    Ok(())
}

fn wall_clock(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("now", |_, (): ()| Ok((NOW,)))?;
    instance.func_wrap("resolution", |_, (): ()| Ok((Datetime { seconds: 1, nanoseconds: 0 },)))
}

fn preopens(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("get-directories", |_, (): ()| Ok((Vec::<(Resource<Descriptor>, String)>::new(),)))
}

fn random(instance: &mut LinkerInstance<'_, Guest>) -> Defined {
    instance.func_wrap("insecure-seed", |_, (): ()| Ok(((0x5151_u64, 0x1515_u64),)))?;
    for name in ["get-random-u64", "get-insecure-random-u64"] {
        instance.func_wrap(name, |mut store: wasmtime::StoreContextMut<'_, Guest>, (): ()| {
            Ok((next_random(&mut store.data_mut().random),))
        })?;
    }
    for name in ["get-random-bytes", "get-insecure-random-bytes"] {
        instance.func_wrap(name, |mut store: wasmtime::StoreContextMut<'_, Guest>, (length,): (u64,)| {
            if length > RANDOM_BYTES_MAX {
                return Err(wasmtime::Error::msg("the guest asked for too many random bytes"));
            }
            let state = &mut store.data_mut().random;
            let bytes: Vec<u8> = (0..length).map(|_| next_random(state).to_le_bytes()[7]).collect();
            Ok((bytes,))
        })?;
    }
    Ok(())
}

/// SplitMix64 (Steele, Lea and Flood, "Fast splittable pseudorandom number generators", 2014).
fn next_random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Types of WASI that are lowered to the guest.
mod types {
    use wasmtime::component::{ComponentType, Lower, Resource};

    /// `wasi:io/streams.stream-error`.
    #[derive(ComponentType, Lower)]
    #[component(variant)]
    pub(super) enum StreamError {
        #[component(name = "last-operation-failed")]
        #[expect(dead_code, reason = "part of the type, never returned")]
        LastOperationFailed(Resource<super::IoError>),
        #[component(name = "closed")]
        Closed,
    }

    /// `wasi:clocks/wall-clock.datetime`.
    #[derive(Clone, Copy, ComponentType, Lower)]
    #[component(record)]
    pub(super) struct Datetime {
        pub(super) seconds: u64,
        pub(super) nanoseconds: u32,
    }
}
