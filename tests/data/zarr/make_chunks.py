"""Makes chunks.txt: one chunk as other implementations encode it, per line a name and its bytes in hex. The array is 10 x 20
int16, row + column * column; where a filter wants other elements, they are made of it. Needs zarr 3.1, numcodecs 0.16 and tensorstore:

    python make_chunks.py > chunks.txt
"""
import tempfile
import pathlib

import numcodecs
import numpy as np
import tensorstore

rows, columns = np.mgrid[0:10, 0:20]
plain = (rows + columns * columns).astype('<i2')


def line(name, encoded):
    print(name, bytes(encoded).hex())


def numcodecs_chunk(name, data, *codecs):
    for codec in codecs:
        data = codec.encode(data)
    line('numcodecs/' + name, np.ascontiguousarray(data).tobytes() if isinstance(data, np.ndarray) else data)


def tensorstore_chunk(name, codecs):
    with tempfile.TemporaryDirectory() as folder:
        array = tensorstore.open({
            'driver': 'zarr3', 'kvstore': {'driver': 'file', 'path': folder}, 'create': True,
            'metadata': {'shape': [10, 20], 'data_type': 'int16', 'codecs': codecs,
                         'chunk_grid': {'name': 'regular', 'configuration': {'chunk_shape': [10, 20]}}}}).result()
        array.write(plain).result()
        line('tensorstore/' + name, (pathlib.Path(folder) / 'c/0/0').read_bytes())


def v3(name, **configuration):
    return {'name': name, 'configuration': configuration}


line('raw', plain.tobytes())
numcodecs_chunk('gzip', plain, numcodecs.GZip(5))
numcodecs_chunk('zlib', plain, numcodecs.Zlib(1))
numcodecs_chunk('zstd', plain, numcodecs.Zstd(3))
numcodecs_chunk('zstd_checksum', plain, numcodecs.Zstd(-5, checksum=True))
numcodecs_chunk('lz4', plain, numcodecs.LZ4())
numcodecs_chunk('bz2', plain, numcodecs.BZ2(1))
numcodecs_chunk('lzma', plain, numcodecs.LZMA())
for compressor in ('lz4', 'lz4hc', 'blosclz', 'zstd', 'zlib'):
    for shuffle in (0, 1, 2):
        numcodecs_chunk(f'blosc_{compressor}_{shuffle}', plain, numcodecs.Blosc(compressor, 5, shuffle))
numcodecs_chunk('shuffle', plain, numcodecs.Shuffle(2))
numcodecs_chunk('delta', plain, numcodecs.Delta('<i2'))
numcodecs_chunk('delta_big', plain.astype('>i2'), numcodecs.Delta('>i2', '<i4'), numcodecs.Zlib(1))
numcodecs_chunk('delta_f_order', np.asfortranarray(plain), numcodecs.Delta('<i2'), numcodecs.Zlib(1))
numcodecs_chunk('delta_float', plain.astype('<f4') / 8, numcodecs.Delta('<f4'))
numcodecs_chunk('fixedscaleoffset', plain / 4, numcodecs.FixedScaleOffset(offset=10, scale=4, dtype='<f8', astype='<i2'))
numcodecs_chunk('fixedscaleoffset_float', plain.astype('<f4'),
                numcodecs.FixedScaleOffset(offset=1, scale=3, dtype='<f4', astype='<f4'))
line('fixedscaleoffset_float_raw', numcodecs.FixedScaleOffset(offset=1, scale=3, dtype='<f4', astype='<f4').decode(
    numcodecs.FixedScaleOffset(offset=1, scale=3, dtype='<f4', astype='<f4').encode(plain.astype('<f4'))).tobytes())
numcodecs_chunk('packbits', plain.ravel()[:197] % 3 == 0, numcodecs.PackBits())
little = v3('bytes', endian='little')
tensorstore_chunk('bytes_big', [v3('bytes', endian='big')])
tensorstore_chunk('crc32c', [little, {'name': 'crc32c'}])
tensorstore_chunk('gzip_crc32c', [little, v3('gzip', level=6), {'name': 'crc32c'}])
tensorstore_chunk('transpose_zstd', [v3('transpose', order=[1, 0]), v3('bytes', endian='big'), v3('zstd', level=1)])
tensorstore_chunk('blosc', [little, v3('blosc', cname='zstd', clevel=5, shuffle='bitshuffle', typesize=2, blocksize=0)])
