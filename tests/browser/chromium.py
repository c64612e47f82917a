"""A headless Chromium that is told what to do over its DevTools protocol: no driver is needed."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = (
    "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--remote-debugging-port=0", "about:blank",
)  # fmt: skip
WAIT_S = 60.0  # for what a page shows, on a machine that is busy
LOOK_S = 0.05


def find_chromium() -> str | None:
    """The browser of this machine; None: it has none."""
    return next((path for name in NAMES if (path := shutil.which(name)) is not None), None)


class Tab:
    """One page."""

    def __init__(self, browser: "Chromium", session: str) -> None:
        self._browser, self._session = browser, session
        self.faults: list[str] = []  # errors of the console
        self.requests: list[str] = []  # addresses that it has asked for

    async def do(self, method: str, **parameters: Any) -> Any:
        """Sends a command, and returns its result."""
        return await self._browser.do(method, self._session, **parameters)

    async def run(self, script: str) -> Any:
        """The value of an expression in the page; a promise is waited for."""
        found = await self.do("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    async def until(self, script: str, wait_s: float = WAIT_S) -> Any:
        """The first value of the expression that is true. Fails if there is none in time."""
        try:
            async with asyncio.timeout(wait_s):
                while not (value := await self.run(script)):
                    await asyncio.sleep(LOOK_S)
        except TimeoutError:
            shown = await self.run("document.body.innerText")
            raise AssertionError(f"never: {script}; {self.faults}; the page shows: {shown}") from None
        return value

    async def open(self, address: str, *, width: int, height: int) -> None:
        """Goes to an address in a window of this size."""
        await self.do(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=False,
        )
        await self.do("Page.navigate", url=address)
        await self.until("document.readyState === 'complete'")

    async def press(self, key: str) -> None:
        """Presses a key, or types a character."""
        text = {"text": key} if len(key) == 1 else {"text": "\r"} if key == "Enter" else {}
        codes = {"Enter": 13, "Escape": 27, "Tab": 9}
        for kind in ("keyDown", "keyUp"):
            await self.do(
                "Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=codes.get(key, 0), **text
            )

    def take(self, method: str, parameters: dict[str, Any]) -> None:
        """Takes an event in."""
        match method:
            case "Runtime.exceptionThrown":
                self.faults.append(str(parameters["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if parameters["type"] in ("error", "warning", "assert"):
                self.faults.append(str(parameters["args"]))
            case "Log.entryAdded" if parameters["entry"]["level"] in ("error", "warning"):
                self.faults.append(str(parameters["entry"]))
            case "Network.requestWillBeSent":
                self.requests.append(parameters["request"]["url"])


class Chromium:
    """A browser that runs."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket, self._number = socket, 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._tabs: dict[str, Tab] = {}

    @classmethod
    @asynccontextmanager
    async def start(cls, path: str) -> AsyncGenerator["Chromium"]:
        """Runs it with a profile of its own, which is gone afterwards."""
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            process = await asyncio.create_subprocess_exec(
                path, f"--user-data-dir={profile}", *OPTIONS,
                stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL,
            )  # fmt: skip
            try:
                port, where = (await _read(Path(profile) / "DevToolsActivePort")).split()
                address = f"ws://127.0.0.1:{port}{where}"
                async with (
                    aiohttp.ClientSession() as client,
                    client.ws_connect(address, max_msg_size=0) as socket,
                ):
                    browser = cls(socket)
                    reading = asyncio.create_task(browser._read())
                    yield browser
                    reading.cancel()
                    await asyncio.gather(reading, return_exceptions=True)
            finally:
                process.kill()
                await process.wait()

    async def tab(self) -> Tab:
        """A new page."""
        target = await self.do("Target.createTarget", None, url="about:blank")
        attached = await self.do("Target.attachToTarget", None, targetId=target["targetId"], flatten=True)
        tab = self._tabs[attached["sessionId"]] = Tab(self, attached["sessionId"])
        for domain in ("Page", "Runtime", "Log", "Network"):
            await tab.do(f"{domain}.enable")
        return tab

    async def do(self, method: str, session: str | None, **parameters: Any) -> Any:
        """Sends a command, and returns its result."""
        self._number += 1
        answer = self._waiting[self._number] = asyncio.get_running_loop().create_future()
        message = {"id": self._number, "method": method, "params": parameters}
        await self._socket.send_json(message if session is None else {**message, "sessionId": session})
        async with asyncio.timeout(WAIT_S):
            found = await answer
        assert "error" not in found, (method, found)
        return found["result"]

    async def _read(self) -> None:
        async for raw in self._socket:
            message = raw.json()
            if "id" in message:
                self._waiting.pop(message["id"]).set_result(message)
            elif (tab := self._tabs.get(message.get("sessionId", ""))) is not None:
                tab.take(message["method"], message["params"])


async def _read(file: Path) -> str:
    async with asyncio.timeout(WAIT_S):
        while not (file.is_file() and len(text := file.read_text().split()) == 2):
            await asyncio.sleep(LOOK_S)
    return " ".join(text)
