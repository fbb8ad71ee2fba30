namespace ChatBackend.Infrastructure.Ai.OpenAi;

/// <summary>Reads embeddings and errors up to a limit: the SDK would buffer any body, and wait for the end of an error's body without a timeout.</summary>
/// <param name="embeddingBytes">The largest body that holds embeddings; an error's may have <see cref="BoundedEvents.MostBytes"/>.</param>
internal sealed class BoundedAnswers(HttpMessageHandler inner, int embeddingBytes) : DelegatingHandler(inner)
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
