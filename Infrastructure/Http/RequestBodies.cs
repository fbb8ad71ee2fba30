using ChatBackend.Infrastructure.Http.Problems;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Net.Http.Headers;

namespace ChatBackend.Infrastructure.Http;

/// <summary>Which bodies are read: uncompressed, JSON in UTF-8, up to the route's limit.</summary>
internal sealed class RequestBodies(RequestDelegate next)
{
    public Task InvokeAsync(HttpContext context)
    {
        if (context.Features.Get<IHttpRequestBodyDetectionFeature>()?.CanHaveBody is not true)
            return next(context);

        if (context.Request.Headers.ContentEncoding.Any(coding => !"identity".Equals(coding, StringComparison.OrdinalIgnoreCase)))
        {
            // The encoding that is accepted (RFC 9110, 15.5.16).
            context.Response.Headers.AcceptEncoding = "identity";
            return Refuse("Send the body uncompressed, without Content-Encoding.");
        }

        // JSON is UTF-8 (RFC 8259, 8.1). The framework fails on a quoted or unknown charset.
        if (context.Request.HasJsonContentType() && MediaTypeHeaderValue.TryParse(context.Request.ContentType, out var type) && type.Charset.HasValue)
        {
            var charset = HeaderUtilities.RemoveQuotes(type.Charset);
            if (charset.Length > 0 && !charset.Equals("utf-8", StringComparison.OrdinalIgnoreCase))
                return Refuse("Send JSON as UTF-8.");
            context.Request.ContentType = type.MediaType.Value;
        }

        // Kestrel counts a chunked body with its framing and resets a connection whose unread rest is too large, so its limit is off.
        if (context.Request.ContentLength is null && context.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false, MaxRequestBodySize: { } limit } size)
        {
            size.MaxRequestBodySize = null;
            context.Request.Body = new LimitedBody(context, context.Request.Body, limit);
        }

        return next(context);

        Task Refuse(string detail) =>
            Problem.Of(StatusCodes.Status415UnsupportedMediaType, "unsupported_media_type", detail).ExecuteAsync(context);
    }

    /// <summary>The body, which fails with 413 past its limit.</summary>
    private sealed class LimitedBody(HttpContext context, Stream body, long limit) : Stream
    {
        private long _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => _read; set => throw new NotSupportedException(); }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await body.ReadAsync(buffer, cancellationToken);
            _read += read;
            if (_read <= limit)
                return read;

            // Kestrel reads the rest for 5 s at most. The client must not send its next request on this connection.
            context.Response.OnStarting(() =>
            {
                context.Response.Headers.Connection = "close";
                return Task.CompletedTask;
            });
            throw new BadHttpRequestException("The body is larger than its limit.", StatusCodes.Status413PayloadTooLarge);
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        // As with Kestrel's own body, synchronous reads are not supported.
        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
