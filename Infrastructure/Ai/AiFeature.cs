using System.Text;
using ChatBackend.Infrastructure.Ai.OpenAi;
using ChatBackend.Infrastructure.Configuration;
using ChatBackend.Infrastructure.Health;
using Microsoft.Extensions.Options;

namespace ChatBackend.Infrastructure.Ai;

internal static class AiFeature
{
    private const string Server = "OPENAI_API_KEY, OPENAI_BASE_URL";

    /// <summary>Registers <see cref="IChatModel"/> and <see cref="IEmbedder"/>, which their users take as optional. Offline there is no chat
    /// model, and an embedder only if its model is named and there is a server for it. <c>OPENAI_EMBEDDING_MODEL=off</c> means no embedder.</summary>
    public static void AddAi(this WebApplicationBuilder builder)
    {
        var options = builder.BindOptions<AiOptions>();
        builder.BindOptions<ModelLimits>(nameof(ModelLimits));

        var isOffline = IsOffline(options, builder.Environment.IsDevelopment());
        if (!isOffline || (builder.Configuration["OPENAI_EMBEDDING_MODEL"] is not null && (options.ApiKey is not null || options.BaseUrl is not null)))
        {
            builder.Services.AddSingleton<OpenAiClients>();
            builder.Services.AddSingleton<ModelAttempts>();
            if (options.EmbeddingModel != AiOptions.Off)
                AddEmbedder(builder.Services);
        }

        if (isOffline)
        {
            builder.Services.AddSingleton(new Dependency("model", IsRequired: false, _ => Task.FromResult("offline")));
            return;
        }

        builder.Services.AddSingleton<IChatModel, OpenAiChatModel>();
        builder.Services.AddSingleton(services => new Probe("model", $"OPENAI_CHAT_MODEL, {Server}", async cancellationToken =>
            await AnswerAsync(services.GetRequiredService<IChatModel>(), cancellationToken)));
        // Asking the model would cost money; the circuit breaker knows how the last requests went.
        builder.Services.AddSingleton(services => new Dependency("model", IsRequired: false, _ =>
        {
            var model = services.GetRequiredService<IOptions<AiOptions>>().Value.ChatModel;
            return services.GetRequiredService<ModelAttempts>().IsOpen(model)
                ? Task.FromException<string>(ModelFaults.CircuitOpen(TimeSpan.Zero))
                : Task.FromResult("no failures");
        }));
    }

    private static void AddEmbedder(IServiceCollection services)
    {
        services.AddSingleton<IEmbedder, OpenAiEmbedder>();
        services.AddSingleton(services => new Probe("embedding", $"OPENAI_EMBEDDING_MODEL (off for none), OPENAI_EMBEDDING_DIMENSIONS, {Server}", async cancellationToken =>
        {
            var embedder = services.GetRequiredService<IEmbedder>();
            return $"{embedder.Model}, {(await embedder.EmbedAsync(["check"], cancellationToken))[0].Length} dimensions";
        }));
    }

    /// <exception cref="ModelException">Every failure, whatever its cause.</exception>
    public static async Task<ModelAnswer> CompleteAsync(this IChatModel model, ModelRequest request, CancellationToken cancellationToken)
    {
        var text = new StringBuilder();
        ModelPiece? last = null;
        await foreach (var piece in model.StreamAsync(request, cancellationToken))
        {
            text.Append(piece.Text);
            last = piece;
        }

        return last is { Finish: { } finish } ? new(text.ToString(), finish, last.Usage, last.Model ?? model.Name) : throw ModelFaults.Truncated();
    }

    /// <summary>Asks for one token, and returns the name of the model that answered.</summary>
    private static async Task<string> AnswerAsync(IChatModel model, CancellationToken cancellationToken)
    {
        try
        {
            return (await model.CompleteAsync(new([new(ModelRole.User, "Say yes.")]) { MaxOutputTokens = 1 }, cancellationToken)).Model;
        }
        catch (ModelException e) when (e.IsEmpty)
        {
            // A model that thinks first spends its token on that.
            return model.Name;
        }
    }

    /// <summary>True when set to offline, or in development without a model's settings.</summary>
    internal static bool IsOffline(AiOptions options, bool isDevelopment) => options.Provider switch
    {
        "offline" => true,
        "openai" => false,
        _ => isDevelopment && string.IsNullOrWhiteSpace(options.ApiKey) && options.BaseUrl is null,
    };
}
