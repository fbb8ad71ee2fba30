namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>
/// Fails a response with a piece that is larger than any answer: the SDK buffers each event of a stream, and any other body,
/// without a limit, and waits for the end of an error's body without a timeout.
/// </summary>
/// <param name="embeddingBytes">The largest body that holds embeddings; every other piece may have <see cref="MostBytes"/>.</param>
internal sealed class BoundedAnswers(HttpMessageHandler inner, int embeddingBytes) : DelegatingHandler(inner)
{
    /// <summary>4 MiB: a server may send the longest answer that the settings allow in one event, escaped.</summary>
    private const int MostBytes = 4 * 1024 * 1024;

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        var isEmbedding = request.RequestUri?.AbsolutePath.EndsWith("/embeddings", StringComparison.Ordinal) == true;
        try
        {
            if (isEmbedding || !response.IsSuccessStatusCode)
                await response.Content.LoadIntoBufferAsync(isEmbedding ? embeddingBytes : MostBytes, cancellationToken);
            else
                await BoundEventsAsync(response, cancellationToken);
            return response;
        }
        catch (Exception e)
        {
            response.Dispose();
            if (e is HttpRequestException { HttpRequestError: HttpRequestError.ConfigurationLimitExceeded })
                throw ModelFaults.TooLong();
            throw;
        }
    }

    private static async Task BoundEventsAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        var content = new StreamContent(new BoundedEvents(await response.Content.ReadAsStreamAsync(cancellationToken)));
        foreach (var (name, values) in response.Content.Headers)
            content.Headers.TryAddWithoutValidation(name, values);
        response.Content = content;
        // The response keeps its request: the prompt is not kept while the answer streams.
        response.RequestMessage?.Content = null;
    }

    /// <summary>Counts the bytes of an event, which ends with an empty line.</summary>
    private sealed class BoundedEvents(Stream inner) : Stream
    {
        private int _bytes;
        private bool _isLineEmpty;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var count = await inner.ReadAsync(buffer, cancellationToken);
            Count(buffer.Span[..count]);
            return count;
        }

        public override int Read(byte[] buffer, int offset, int count)
        {
            count = inner.Read(buffer, offset, count);
            Count(buffer.AsSpan(offset, count));
            return count;
        }

        public override void Flush() => throw new NotSupportedException();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
                inner.Dispose();
            base.Dispose(disposing);
        }

        private void Count(ReadOnlySpan<byte> read)
        {
            foreach (var value in read)
            {
                _bytes = value == '\n' && _isLineEmpty ? 0 : _bytes + 1;
                _isLineEmpty = value == '\n' || (value == '\r' && _isLineEmpty);
            }

            if (_bytes > MostBytes)
                throw ModelFaults.TooLong();
        }
    }
}
