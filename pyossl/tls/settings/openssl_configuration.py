"""OpenSSL's configuration language, applied to a context: single commands, and sections of openssl.cnf.

SSL_CONF_cmd(3)
"""

from __future__ import annotations

from pyossl.core import lib, own
from pyossl.core.arguments import c_string
from pyossl.core.errors import check_ptr, failed
from pyossl.core.outcome import take_records
from pyossl.tls.settings.context_state import ContextState

_COMMANDS_FOR_GROUPS = ("groups", "curves")


class ConfigurationSettings(ContextState):
    """The settings of a context that OpenSSL's configuration language makes."""

    __slots__ = ()

    def configure(self, command: str, value: str) -> None:
        """Applies one command of OpenSSL's configuration language: ``configure("MinProtocol", "TLSv1.3")``.

        ``command`` is one of openssl.cnf, and ``value`` its argument.  A command may change verification: ``verifies``
        and ``checks_hostname`` say what is in force.  An encrypted key file is refused, because pyossl never prompts
        for a password.  Raises ``ValueError`` for an unknown command, and for a value that the command refuses.
        SSL_CONF_cmd(3)
        """
        self._change()
        pair = c_string(command, "a configuration command"), c_string(value, "a configuration value")
        what = f"the configuration command {command!r} with the value {value!r}"
        configuration = own(check_ptr(lib.SSL_CONF_CTX_new(), "SSL_CONF_CTX_new"), lib.SSL_CONF_CTX_free)
        side = lib.SSL_CONF_FLAG_SERVER if self.is_server else lib.SSL_CONF_FLAG_CLIENT
        flags = lib.SSL_CONF_FLAG_FILE | lib.SSL_CONF_FLAG_CERTIFICATE | lib.SSL_CONF_FLAG_SHOW_ERRORS | side
        lib.SSL_CONF_CTX_set_flags(configuration, flags)
        lib.SSL_CONF_CTX_set_ssl_ctx(configuration, self._ctx)
        take_records()
        self._configured.append((command, value))
        if lib.SSL_CONF_cmd(configuration, *pair) <= 0 or lib.SSL_CONF_CTX_finish(configuration) != 1:
            error = failed(what)
            raise ValueError(str(error)) from error
        if command.lower() in _COMMANDS_FOR_GROUPS:
            self._groups = value
        take_records()

    def configure_section(self, name: str) -> None:
        """Applies the section ``name`` of the SSL module of the system's openssl.cnf.

        A section may change verification: ``verifies`` and ``checks_hostname`` have the new state.  Raises
        ``ValueError`` if there is no such section, or if OpenSSL refuses one of its commands.  SSL_CTX_config(3)
        """
        self._change()
        section = c_string(name, "the name of a section")
        take_records()
        self._configured.append(("section", name))
        if lib.SSL_CTX_config(self._ctx, section) != 1:
            error = failed(f"the section {name!r} of the configuration")
            raise ValueError(str(error)) from error
        take_records()
