"""mitmproxy without a screen."""

from mitmproxy.tools.main import mitmdump

mitmdump()
