"""A TIFF file as bytes that can be patched: its directories, the values of their tags, and what GDAL writes behind the header.
Either kind of TIFF, little-endian."""

SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 11: 4, 12: 8, 16: 8}
OFFSETS, BYTE_COUNTS = 324, 325


class Tag:
    def __init__(self, kind, count, position, entry):
        self.kind, self.count, self.position, self.entry = kind, count, position, entry


class Patched:
    def __init__(self, path):
        with open(path, "rb") as file:
            self.bytes = bytearray(file.read())
        self.big = self.bytes[2] == 43
        self.word = 8 if self.big else 4
        self.first_link = 8 if self.big else 4  # where the place of the first directory is
        self.read()

    def get(self, position, size):
        return int.from_bytes(self.bytes[position:position + size], "little")

    def put(self, position, size, value):
        self.bytes[position:position + size] = value.to_bytes(size, "little")

    def read(self):
        """Again, after links were changed."""
        self.directories, self.places, self.links = [], [], [self.first_link]
        while (place := self.get(self.links[-1], self.word)) != 0:
            counter, entry_size = (8, 20) if self.big else (2, 12)
            tags = {}
            count = self.get(place, counter)
            for i in range(count):
                entry = place + counter + i * entry_size
                kind, values = self.get(entry + 2, 2), self.get(entry + 4, self.word)
                inside = SIZES.get(kind, 1) * values <= self.word
                at = entry + 4 + self.word
                tags[self.get(entry, 2)] = Tag(kind, values, at if inside else self.get(at, self.word), entry)
            self.directories.append(tags)
            self.places.append(place)
            self.links.append(place + counter + count * entry_size)

    def values(self, directory, tag):
        found = self.directories[directory][tag]
        size = SIZES[found.kind]
        return [self.get(found.position + i * size, size) for i in range(found.count)]

    def set(self, directory, tag, index, value):
        found = self.directories[directory][tag]
        size = SIZES[found.kind]
        self.put(found.position + index * size, size, value)

    def swap(self, directory, tag, a, b):
        values = self.values(directory, tag)
        self.set(directory, tag, a, values[b])
        self.set(directory, tag, b, values[a])

    def tile(self, directory, index):
        """(offset, bytes)"""
        return self.values(directory, OFFSETS)[index], self.values(directory, BYTE_COUNTS)[index]

    def move_directory(self, number):
        """To the end of the file; its values stay."""
        start, end = self.places[number], self.links[number + 1] + self.word
        if len(self.bytes) % 2:
            self.bytes += b"\0"
        # Values inside of entries move along.
        self.put(self.links[number], self.word, len(self.bytes))
        self.bytes += self.bytes[start:end]
        self.read()

    def move_tile(self, directory, index):
        """To the end of the file, with its frame."""
        offset, size = self.tile(directory, index)
        self.set(directory, OFFSETS, index, len(self.bytes) + 4)
        self.bytes += self.bytes[offset - 4:offset + size + 4]

    def write(self, path):
        with open(path, "wb") as file:
            file.write(self.bytes)
