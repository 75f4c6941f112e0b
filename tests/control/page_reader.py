"""A page as a browser without scripts would read it: its elements, and its words."""

from html.parser import HTMLParser

VOID = {"link", "meta", "rect"}
UNREAD = {"style", "script", "title"}
BLOCKS = {"p", "li", "td", "th", "h1", "h2", "h3", "dt", "dd", "blockquote", "summary"}


class Outline(HTMLParser):
    """What a page is made of.

    `shape` is every element with the names of its attributes, `attributes` every one with its value,
    `words` the text with single spaces, `raw` the text within style and script.
    """

    def __init__(self, page):
        super().__init__()
        self.shape = []
        self.attributes = []
        self.raw = {}
        self._open = []
        self._text = []
        self.feed(page)
        self.close()
        self.words = " ".join("".join(self._text).split())
        self.unclosed = tuple(self._open)

    def handle_starttag(self, tag, attrs):
        self.shape.append((tag, tuple(name for name, _ in attrs)))
        self.attributes += [(tag, name, value) for name, value in attrs]
        if tag in BLOCKS:
            self._text.append(" ")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag):
        assert self._open.pop() == tag
        if tag in BLOCKS:
            self._text.append(" | ")

    def handle_data(self, data):
        if self._open and self._open[-1] in UNREAD:
            self.raw[self._open[-1]] = data
        else:
            self._text.append(data)

    def values(self, name):
        """The values of all attributes of this name."""
        return [value for _, attribute, value in self.attributes if attribute == name]
