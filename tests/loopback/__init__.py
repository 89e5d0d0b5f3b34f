"""A server on this machine that speaks the providers' real protocols, as slowly and as badly as a script asks for.

One server speaks OpenAI Responses and Chat Completions, Anthropic Messages, and Gemini generateContent, streamed or
not, so that Inspect's own providers and the real SDKs run against it unmodified: `openai/…`, `openai-api/loop/…`,
`anthropic/…`, `google/…`. Tests get it by the fixture `loopback` (`tests/providers/conftest.py`):

    with Loopback(lambda request: Reply(latency=0.5)) as server:
        os.environ.update(server.environment)
        ...
        server.requests, server.most_in_flight

A `Reply` whose `text` is None says what `default_text` makes: a sentence, or where the request has a schema, JSON that
conforms to it. The folder is not on the import path (as `tests` on it would shadow `datasets`). Load it by its path:

    spec = importlib.machinery.PathFinder.find_spec("loopback", ["PATH/TO/tests"])
    sys.modules["loopback"] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)   # from here on also: from loopback import Loopback, Reply, Request

A benchmark runs it in a process of its own, so that the server's work is not counted as the client's:

    with spawn(latency=0.5) as server:   # or reply="PATH.py:FUNCTION", a function of a Request
        subprocess.run(..., env=os.environ | server.environment)
        server.stats()                   # {"requests": …, "in_flight": …, "most_in_flight": …, "by_model": {…}}

By hand: `python tests/loopback --latency 0.5` prints url and environment as one line of JSON and serves until its input
ends.
"""

from .process import Remote, spawn
from .server import Loopback
from .shapes import Reply, Request, default_text, tokens, verdict

__all__ = ["Loopback", "Remote", "Reply", "Request", "default_text", "spawn", "tokens", "verdict"]
