namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>Buffers the bodies of embeddings and errors, up to a limit and within the time of the request. The SDK would buffer any body without a limit,
/// and wait for the end of an error's body without a timeout. Answers are bounded by <see cref="BoundedEvents"/>.</summary>
/// <param name="embeddingBytes">The largest body with embeddings. An error's body may have <see cref="BoundedEvents.MostBytes"/>.</param>
internal sealed class BoundedBodies(HttpMessageHandler inner, int embeddingBytes) : DelegatingHandler(inner)
{
    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var response = await base.SendAsync(request, cancellationToken);
        var isEmbedding = request.RequestUri?.AbsolutePath.EndsWith("/embeddings", StringComparison.Ordinal) == true;
        if (!isEmbedding && response.IsSuccessStatusCode)
            return response;

        try
        {
            await response.Content.LoadIntoBufferAsync(isEmbedding ? embeddingBytes : BoundedEvents.MostBytes, cancellationToken);
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
}
