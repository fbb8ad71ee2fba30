using System.Net.Http.Json;
using System.Text.Json;
using ChatBackend.Infrastructure.Ai;
using ChatBackend.Infrastructure.Docusaurus;
using ChatBackend.Infrastructure.Search;
using ChatBackend.Tests.Features.Chat;
using ChatBackend.Tests.Features.Profile;
using ChatBackend.Tests.Features.Translate.Translating;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.TestHost;
using Microsoft.Extensions.DependencyInjection;

namespace ChatBackend.Tests.Features.Translate;

/// <summary>The service with a stub model that translates to capitals.</summary>
internal sealed class TranslateApp : ProfileApp
{
    public const string Page =
        """
        # Nodes and Topics

        ## How nodes talk

        Two nodes talk to each other over a `topic`, which **one** of them [publishes](./publish.md).

        The zero moment point stays inside the support polygon while the humanoid walks.

        ```python
        print("A node")
        ```
        """;

    public StubTranslator Model { get; init; } = new((text, _) => Upper(text));

    /// <summary>In capitals, but for the placeholders.</summary>
    public static string Upper(string text) => string.Concat(text.Split('<', '>').Select((part, i) => i % 2 == 1 ? $"<{part}>" : part.ToUpperInvariant()));

    public async Task<HttpResponseMessage> PostAsync(object body, string? reader = null, string? accept = null, CancellationToken cancellationToken = default)
    {
        var request = new HttpRequestMessage(HttpMethod.Post, "/translate") { Content = JsonContent.Create(body) };
        if (reader is not null)
            request.Headers.Authorization = new("Bearer", Token(reader));
        if (accept is not null)
            request.Headers.Add("Accept", accept);

        return await Client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
    }

    /// <summary>Posts a text and returns the 200's body.</summary>
    public async Task<JsonElement> TranslateAsync(object body, string? reader = null)
    {
        var response = await PostAsync(body, reader);
        var json = await response.JsonAsync();
        Assert.True(response.IsSuccessStatusCode, json.ToString());

        return json;
    }

    /// <summary>Posts a text and returns the events of the stream.</summary>
    public async Task<IReadOnlyList<StreamedEvent>> StreamAsync(object body)
    {
        using var stream = new EventStream(await PostAsync(body, accept: "text/event-stream"));

        return await stream.AllAsync();
    }

    /// <summary>Takes a page into the book.</summary>
    public Task IngestAsync(string path, string content)
    {
        _ = Client;

        return Services.GetRequiredService<IPassageIndex>().ReplaceAsync(Services.GetRequiredService<MarkdownChunker>().Document(path, content), default);
    }

    protected override void ConfigureWebHost(IWebHostBuilder builder)
    {
        base.ConfigureWebHost(builder);
        builder.ConfigureTestServices(services => services.AddSingleton<IChatModel>(Model));
    }
}
