using ChatBackend.Features.Chat.Answering;
using ChatBackend.Features.Chat.Turns;
using ChatBackend.Features.Insights;
using ChatBackend.Infrastructure.Auth;
using ChatBackend.Infrastructure.Http.OpenApi;
using FluentValidation;

namespace ChatBackend.Features.Chat;

/// <summary>Conversations about the book.</summary>
internal static class ChatFeature
{
    public static void AddChat(this WebApplicationBuilder builder)
    {
        builder.Services.Configure<ChatOptions>(builder.Configuration);
        builder.Services.AddSingleton<IValidator<ChatRequest>, ChatRequestValidator>();
        builder.Services.AddSingleton<IValidator<FeedbackRequest>, FeedbackRequestValidator>();
        builder.Services.AddSingleton<Retrieval>();
        builder.Services.AddSingleton<TurnAnswer>();
        builder.Services.AddSingleton<TurnFollower>();
        builder.Services.AddSingleton<TurnRunner>();
        builder.Services.AddHostedService(services => services.GetRequiredService<TurnRunner>());
    }

    public static void MapChat(this IEndpointRouteBuilder routes)
    {
        var chat = routes.MapFeature("/chat", "Chat").AcceptToken();

        chat.MapPostChat();
        chat.MapGetTurn();
        chat.MapGetTurnEvents();
        chat.MapListMessages();
        chat.MapDeleteSession();
        chat.MapPutFeedback();

        // For the authors, not the readers: their key takes the place of a reader's token.
        routes.MapFeature("/chat", "Chat").MapGetInsights();
    }
}
