"""Processes of Sluice: started with a crash point or without, left to die there, or killed with -9."""

import signal
import subprocess
import time

# An armed process that has neither died at its point nor ended after so long is killed as any other.
REACH_SECONDS = 20.0


class Processes:
    """Starts the program over one lake, and counts how its processes end."""

    def __init__(self, program, lake, environment, logs, hit, sabotage=None):
        self.program = program
        self.lake = lake
        self.environment = environment
        self.logs = logs
        self.sabotage = sabotage
        self.running = []
        # Deaths by crash point, of all lakes of a run.
        self.hit = hit
        self.kills = 0
        self.started = 0

    def start(self, arguments, work, point=None):
        environment = {**self.environment, "SLUICE_WORK": str(work)}
        if point:
            environment["SLUICE_CRASH_POINT"] = point
        if self.sabotage:
            environment["SLUICE_SABOTAGE"] = self.sabotage
        self.started += 1
        name = self.logs / f"{self.started:05}-{arguments[0]}"
        with open(f"{name}.out", "wb") as out, open(f"{name}.err", "wb") as err:
            command = [self.program, "--lake", self.lake, *map(str, arguments)]
            streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err}
            process = subprocess.Popen(command, env=environment, **streams)
        process.name, process.point, process.arguments = str(name), point, arguments
        self.running.append(process)
        return process

    def note_ended(self):
        """Counts what has ended by itself; how many are left."""
        left = []
        for process in self.running:
            if process.poll() is None:
                left.append(process)
            elif process.returncode == -signal.SIGABRT and process.point:
                self.hit[process.point] = self.hit.get(process.point, 0) + 1
            elif process.returncode == -signal.SIGABRT:
                raise AssertionError(f"aborted by itself: {self.told(process)}")
            elif process.returncode == 101:
                raise AssertionError(f"panicked: {self.told(process)}")
        self.running = left
        return len(left)

    def run(self, arguments, work, point=None, seconds=120):
        """To its end; a process that hangs is a fault."""
        process = self.start(arguments, work, point)
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
            raise AssertionError(f"did not end in {seconds} s: {self.told(process)}") from None
        self.note_ended()
        return process

    def kill(self, process):
        if process.poll() is None:
            process.kill()
            process.wait()
            self.kills += 1

    def kill_all(self, after):
        """Waits until armed processes have died or ended, and at least so many seconds; then -9 for what is left."""
        end = time.monotonic() + after
        limit = time.monotonic() + REACH_SECONDS
        while self.note_ended():
            now = time.monotonic()
            is_armed = any(process.point for process in self.running)
            if now >= limit or (now >= end and not is_armed):
                break
            time.sleep(0.02)
        for process in self.running:
            self.kill(process)
        self.note_ended()

    @staticmethod
    def output(process):
        with open(f"{process.name}.out") as stream:
            return stream.read()

    @staticmethod
    def told(process):
        with open(f"{process.name}.err", errors="replace") as stream:
            return f"{' '.join(map(str, process.arguments))} -> {process.returncode}\n{stream.read()[-2000:]}"
